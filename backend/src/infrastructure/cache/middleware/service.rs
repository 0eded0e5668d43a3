//! The middleware that a policy becomes when it is wrapped around a route.
//!
//! By method: GET is read through the cache ([`super::read`]), HEAD is answered from the entry of GET,
//! POST, PUT, PATCH and DELETE invalidate after their handler succeeded ([`super::write`]), and the
//! others pass (C11).

use std::fmt;
use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError, web};
use bytes::Bytes;
use futures_util::future::{Either, LocalBoxFuture};
use tracing::level_filters::LevelFilter;

use super::key::Key;
use super::plan::CompiledPolicy;
use super::policy::CachePolicy;
use super::provider::{Cache, Shared};
use super::read::{self, Beginning};
use super::status::{Bypass, Outcome, header_value};
use super::write;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What the cache did for a request, for the access log: a request extension, where lines of the level
/// `info` are written.
#[derive(Clone, Debug)]
pub struct CacheOutcome {
    outcome: Outcome,
    key: Option<String>,
}

impl CacheOutcome {
    /// The value of `Cache-Status`, without the key.
    #[must_use]
    pub fn status(&self) -> impl fmt::Display + use<> {
        self.outcome
    }

    /// The key, where one could be built.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

/// A policy that invalidates more than its own key stands on a route that reads (C19).
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "InvalidRequestError: to_invalidate_extra, to_invalidate_groups and pattern_to_invalidate_extra belong on routes \
     that write; take them off the policy of this GET route"
)]
pub struct InvalidRequestError;

impl ResponseError for InvalidRequestError {
    fn status_code(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }

    fn error_response(&self) -> HttpResponse {
        let problem = serde_json::json!({
            "type": "InvalidRequestError",
            "title": "Internal Server Error",
            "status": 500,
            "detail": self.to_string(),
        });
        HttpResponse::InternalServerError()
            .content_type("application/problem+json")
            .body(problem.to_string())
    }
}

/// A policy at work around a route.
#[derive(Debug)]
pub struct CacheMiddleware<S> {
    service: Rc<S>,
    policy: Rc<CompiledPolicy>,
}

impl<S, B> Transform<S, ServiceRequest> for CachePolicy
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = CacheMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(CacheMiddleware {
            service: Rc::new(service),
            policy: Rc::new(CompiledPolicy::new(*self)),
        }))
    }
}

impl<S, B> Service<ServiceRequest> for CacheMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = Either<
        Ready<Result<Self::Response, Error>>,
        LocalBoxFuture<'static, Result<Self::Response, Error>>,
    >;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let handler = Handler(Rc::clone(&self.service));
        let policy = Rc::clone(&self.policy);
        let Some(cache) = request
            .app_data::<web::Data<Cache>>()
            .map(|cache| Cache::clone(cache))
        else {
            tracing::error!(
                "a route has a cache policy, but the application has no `web::Data<Cache>`"
            );
            return Either::Right(Box::pin(async move { handler.run(request).await }));
        };
        let method = request.method();
        if method == Method::GET || method == Method::HEAD {
            return match read::begin(&cache.shared, &policy, &request) {
                Beginning::Hit(entry, key) => {
                    Either::Left(ready(Ok(read::hit(&cache.shared, request, &entry, &key))))
                }
                Beginning::Ask(plan) => {
                    Either::Right(Box::pin(read::ask(cache, policy, handler, request, plan)))
                }
                Beginning::Alone(outcome, key) => Either::Right(Box::pin(async move {
                    read::alone(&cache, &policy, handler, request, outcome, key).await
                })),
                Beginning::Misused => {
                    Either::Left(ready(Ok(request.error_response(InvalidRequestError))))
                }
            };
        }
        if matches!(
            *method,
            Method::POST | Method::PUT | Method::PATCH | Method::DELETE
        ) {
            Either::Right(Box::pin(write::write(cache, policy, handler, request)))
        } else {
            Either::Right(Box::pin(async move { handler.run(request).await }))
        }
    }
}

/// The route behind the middleware.
pub(super) struct Handler<S>(Rc<S>);

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

/// Writes down what the cache did: as a header, and for the access log where there is one.
pub(super) fn finish(
    shared: &Shared,
    mut response: ServiceResponse<BoxBody>,
    outcome: Outcome,
    key: Option<&Key>,
) -> ServiceResponse<BoxBody> {
    if shared.status_header {
        let shown = key.filter(|_| shared.expose_keys).map(Key::name);
        let value = Bytes::from(header_value(outcome, shown));
        if let Ok(value) = HeaderValue::from_maybe_shared(value) {
            response.headers_mut().insert(CACHE_STATUS, value);
        }
    }
    if LevelFilter::current() >= LevelFilter::INFO {
        let key = key.map(|key| key.name().to_owned());
        let outcome = CacheOutcome { outcome, key };
        response.request().extensions_mut().insert(outcome);
    }
    response
}

/// Says once for each route why it is not cached.
pub(super) fn warn_once(shared: &Shared, request: &ServiceRequest, bypass: Bypass, warning: &str) {
    let route = request.match_pattern().unwrap_or_default();
    if shared.warned.permits(&format!("{route} {bypass:?}")) {
        tracing::warn!(route, "not cached: {warning}");
    }
}
