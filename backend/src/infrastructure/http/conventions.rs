//! The conventions of all requests: a request has an id, its path may end in a slash, and its errors are
//! problems.
//!
//! Come here to change a rule that applies to every route. The rules are one middleware, because each further one costs
//! every request. Rules of single routes are not here.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use actix_web::Error;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use actix_web::http::{ConnectionType, Uri};
use actix_web::middleware::Next;
use tokio_util::task::TaskTracker;

use super::client_silence::{Activity, AnswerBody};
use super::problem::{ErrorWithoutRequest, is_bare_error, render};
use super::request_id::{RequestId, X_REQUEST_ID};
use super::request_timeout::RequestTimeout;
use super::security_headers::{self, SecurityHeaders};
use crate::metrics::RequestMetrics;
use crate::traces::traceparent;

/// Whether each answer closes its connection.
static CLOSES_CONNECTIONS: AtomicBool = AtomicBool::new(false);

/// Makes each answer close its connection. Called when the process ends, because further requests on open connections
/// would delay the end.
pub fn close_connections() {
    CLOSES_CONNECTIONS.store(true, Ordering::Relaxed);
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The settings of the conventions.
#[derive(Debug)]
pub struct Conventions {
    /// The limit of the time that a handler may take.
    pub timeout: RequestTimeout,
    /// The writes under way. The end of the process waits for them.
    pub writes: TaskTracker,
    /// The headers that protect browsers.
    pub security_headers: SecurityHeaders,
    /// The metrics of requests, where they are collected.
    pub metrics: Option<RequestMetrics>,
}

/// A middleware that gives the request its id (`X-Request-Id`), routes `/widgets/` like `/widgets`, answers
/// for a handler that takes too long, gives every error its problem body, adds the headers that protect browsers, and keeps
/// answers to callers out of other caches (`Cache-Control: no-store`), unless the route says otherwise.
///
/// # Errors
/// Errors of the inner service that have no answer, such as a panic of a handler. They become problems
/// too.
pub async fn apply_conventions<B: MessageBody + 'static>(
    conventions: Rc<Conventions>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<AnswerBody<EitherBody<B, BoxBody>>>, Error> {
    let under_way = request.conn_data::<Activity>().map(Activity::begin);
    let measured = conventions.metrics.as_ref();
    let measured = measured.map(|metrics| (metrics, Instant::now()));
    let request_id = RequestId::assign(&mut request);
    if request.path().ends_with('/') {
        trim_trailing_slashes(&mut request);
    }
    // For a handler that gives no answer. A known method is copied without an allocation.
    let method = request.method().clone();
    let answer = conventions
        .timeout
        .limit(&conventions.writes, &request_id, request, next);
    let mut response = match answer.await {
        Ok(response) if is_bare_error(&response) => render(response, &request_id)
            .map_body(|_, body| AnswerBody::new(EitherBody::right(body), under_way)),
        Ok(response) => {
            response.map_body(|_, body| AnswerBody::new(EitherBody::left(body), under_way))
        }
        Err(error) => {
            if let Some((metrics, began)) = measured {
                let status = error.as_response_error().status_code();
                metrics.record_without_answer(&method, status, began);
            }
            return Err(ErrorWithoutRequest { request_id, error }.into());
        }
    };
    if let Some((metrics, began)) = measured {
        metrics.record(response.request(), response.status(), began);
    }
    if CLOSES_CONNECTIONS.load(Ordering::Relaxed) {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    // Answers of cached routes have the header already (C52). Other answers to a caller belong to that
    // caller alone.
    let needs_no_store = !response.headers().contains_key(CACHE_CONTROL)
        && response.request().headers().contains_key(AUTHORIZATION);
    let promises_tls = conventions
        .security_headers
        .promises_tls(response.request());
    let traceparent = traceparent(response.request()).map(HeaderValue::try_from);
    let headers = response.headers_mut();
    if needs_no_store {
        headers.insert(CACHE_CONTROL, NO_STORE);
    }
    headers.insert(X_REQUEST_ID, request_id.into_header());
    if let Some(Ok(value)) = traceparent {
        headers.insert(TRACEPARENT, value);
    }
    security_headers::insert(headers, promises_tls);
    Ok(response)
}

/// Removes the slashes at the end of the path, for the router and for readers of the URI.
fn trim_trailing_slashes(request: &mut ServiceRequest) {
    let uri = request.uri();
    let trimmed = match uri.path().trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    let trimmed = match uri.query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(trimmed).ok();
    // A part of a URI is a URI too.
    if let Ok(uri) = Uri::from_parts(parts) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}
