//! The span of a request: its parent from `traceparent`, its attributes, and the `traceparent` of what it causes.
//!
//! Come here to change what a trace shows of a request. As in the log there are no paths, queries, bodies and headers. Names are those of
//! OpenTelemetry's conventions, and otherwise those of the log.

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{HttpMessage, HttpRequest};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::cache::CacheOutcome;

/// The header fields of a request, for the propagator.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// The `traceparent` of what a request causes.
#[derive(Clone, Debug)]
struct Traceparent(String);

/// Begins the span of a request. `traceparent` and `tracestate` of the client are respected: the span is part of that trace, and is
/// sent if the client's is.
pub fn begin(span: &Span, request: &ServiceRequest) {
    let propagator = TraceContextPropagator::new();
    let parent = propagator.extract_with_context(&Context::new(), &Headers(request.headers()));
    // An error means that the span is not collected.
    let _ = span.set_parent(parent);
    let context = span.context();
    let context = context.span().span_context().clone();
    let (trace_id, span_id) = (context.trace_id(), context.span_id());
    let flags = context.trace_flags().to_u8();
    let traceparent = Traceparent(format!("00-{trace_id}-{span_id}-{flags:02x}"));
    request.extensions_mut().insert(traceparent);
}

/// Completes the span with the answer. The attributes are no fields, so that lines of the log do not repeat them.
pub fn end<B>(span: &Span, response: &ServiceResponse<B>) {
    let request = response.request();
    let (method, status) = (request.method(), response.status());
    let route = request.match_pattern();
    let name = route.as_deref().map(|route| format!("{method} {route}"));
    let name = name.unwrap_or_else(|| method.to_string());
    span.context().span().update_name(name);
    span.set_attribute("http.request.method", method.to_string());
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if let Some(route) = route {
        span.set_attribute("http.route", route);
    }
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
    let extensions = request.extensions();
    let cache = extensions.get::<CacheOutcome>();
    let attributes = [
        ("cache_outcome", cache.and_then(CacheOutcome::outcome)),
        ("cache_detail", cache.and_then(CacheOutcome::detail)),
        ("cache_key", cache.and_then(CacheOutcome::key)),
        ("cache_effect", cache.and_then(CacheOutcome::invalidated)),
    ];
    for (name, value) in attributes {
        if let Some(value) = value {
            span.set_attribute(name, value.to_owned());
        }
    }
}

/// The `traceparent` that a call of another service carries, so that it becomes part of the request's trace.
#[must_use]
pub fn traceparent(request: &HttpRequest) -> Option<String> {
    let extensions = request.extensions();
    extensions.get::<Traceparent>().map(|own| own.0.clone())
}

/// The id of the request's trace, for its line in the log.
#[must_use]
pub fn trace_id(request: &HttpRequest) -> Option<String> {
    let traceparent = traceparent(request)?;
    traceparent.split('-').nth(1).map(str::to_owned)
}
