//! A program without the feature `traces`: the same names, which do nothing.
//!
//! Come here when a function of `collecting` or `request` changes.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use tracing::Span;
use tracing_subscriber::{Layer, Registry};

use super::StartTracesError;

/// What the program never has.
#[derive(Clone, Debug)]
pub struct Traces(Infallible);

impl Traces {
    /// # Errors
    /// The program is built without the feature `traces`, which the check of the settings says before.
    pub fn start(_: &'static str, _: &str) -> Result<Self, StartTracesError> {
        let reason = "this program is built without the feature `traces`";
        Err(StartTracesError(reason.to_owned()))
    }

    /// The layer of the subscriber.
    #[must_use]
    pub fn layer(&self, _: &'static str) -> Box<dyn Layer<Registry> + Send + Sync> {
        match self.0 {}
    }

    /// Sends the remaining spans.
    pub async fn stop(&self, _: Duration) {
        match self.0 {}
    }
}

/// Whether spans are collected.
#[must_use]
pub const fn are_collected() -> bool {
    false
}

/// Begins the span of a request.
pub fn begin(_: &Span, _: &ServiceRequest) {}

/// Completes the span with the answer.
pub fn end<B>(_: &Span, _: &ServiceResponse<B>) {}

/// The `traceparent` that a call of another service carries.
#[must_use]
pub fn traceparent(_: &HttpRequest) -> Option<String> {
    None
}

/// The id of the request's trace.
#[must_use]
pub fn trace_id(_: &HttpRequest) -> Option<String> {
    None
}
