//! The route behind the middleware, and `Cache-Status` on the way out.
//!
//! Come here to change a step that all requests have in common. All files of this folder may use this one, so it uses
//! only `downstream` and `recent_headers` of them.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage};
use bytes::Bytes;

use super::downstream::set_cache_control;
use super::recent_headers;
use crate::cache_status::{Bypass, Outcome, header_value};
use crate::keys::Key;
use crate::policy::{CompiledPolicy, Problem};
use crate::provider::Shared;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// The cache's handling of a request, for the access log and traces: a request extension, which exists only with
/// [`CacheOptions::record_outcomes`](crate::CacheOptions).
#[derive(Clone, Debug)]
pub struct CacheOutcome {
    outcome: Outcome,
    key: Option<String>,
    invalidated: Option<Arc<str>>,
}

impl CacheOutcome {
    /// The value of `Cache-Status`, without the key.
    #[must_use]
    pub fn status(&self) -> impl fmt::Display + use<> {
        self.outcome
    }

    /// The outcome of a read: `hit`, `miss` or `bypass`.
    #[must_use]
    pub fn outcome(&self) -> Option<&'static str> {
        self.outcome
            .label_index()
            .map(|index| Outcome::LABELS[index].0)
    }

    /// The kind of the outcome of a read, such as `fresh`, `collapsed` or `unavailable`.
    #[must_use]
    pub fn detail(&self) -> Option<&'static str> {
        self.outcome
            .label_index()
            .map(|index| Outcome::LABELS[index].1)
    }

    /// The effect of a successful write, as in `invalidated=2; keys="widget:42 widget_count:global"`:
    /// the number of keys, groups and patterns, and the names of the first 20.
    #[must_use]
    pub fn invalidated(&self) -> Option<&str> {
        self.invalidated.as_deref()
    }

    /// The key, if one could be built.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

/// The route behind the middleware.
pub(super) struct Handler<S>(pub(super) Rc<S>);

impl<S> Clone for Handler<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<S, B> Handler<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    /// Runs the handler.
    pub(super) async fn run(
        &self,
        request: ServiceRequest,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        Ok(self.0.call(request).await?.map_into_boxed_body())
    }
}

/// Records the cache's handling of a read: as a header, and for the access log if there is one. Adds
/// `Cache-Control`.
pub(super) fn finish(
    shared: &Shared,
    policy: &CompiledPolicy,
    mut response: ServiceResponse<BoxBody>,
    outcome: Outcome,
    key: Option<&Key>,
) -> ServiceResponse<BoxBody> {
    policy
        .look_ups
        .count(outcome, || response.request().match_pattern());
    set_cache_control(policy, &mut response, outcome);
    if shared.status_header {
        let shown = key.filter(|_| shared.expose_keys).map(Key::name);
        if let Some(value) = recent_headers::cache_status(outcome, shown) {
            response.headers_mut().insert(CACHE_STATUS, value);
        }
    }
    if shared.record_outcomes {
        let outcome = CacheOutcome {
            outcome,
            key: key.map(|key| key.name().to_owned()),
            invalidated: None,
        };
        response.request().extensions_mut().insert(outcome);
    }
    response
}

/// Records the effect of a write, as [`finish`] does for a read.
pub(super) fn finish_write(
    shared: &Shared,
    mut response: ServiceResponse<BoxBody>,
    outcome: Outcome,
    invalidated: Option<Arc<str>>,
) -> ServiceResponse<BoxBody> {
    if shared.status_header {
        let status = header_value(outcome, None);
        let shown = invalidated.as_ref().filter(|_| shared.expose_keys);
        let status = shown.map_or_else(
            || status.clone(),
            |invalidated| format!("{status}; {invalidated}"),
        );
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(status)) {
            response.headers_mut().insert(CACHE_STATUS, value);
        }
    }
    if shared.record_outcomes {
        let outcome = CacheOutcome {
            outcome,
            key: None,
            invalidated,
        };
        response.request().extensions_mut().insert(outcome);
    }
    response
}

/// Logs once for each route why it is not cached.
pub(super) fn say_once(
    shared: &Shared,
    request: &ServiceRequest,
    bypass: Bypass,
    problem: &Problem,
) {
    let route = request.match_pattern().unwrap_or_default();
    if shared.warned.permits(&format!("{route} {bypass:?}")) {
        match problem {
            Problem::Warning(warning) => tracing::warn!(route, "not cached: {warning}"),
            Problem::Error(error) => tracing::error!(route, "never cached: {error}"),
        }
    }
}
