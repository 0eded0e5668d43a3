//! The middleware that a policy becomes when it is wrapped around a route.

use std::future::{Ready, ready};

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use futures_util::future::LocalBoxFuture;

use super::policy::CachePolicy;

/// What the cache did for a request, for the access log.
#[derive(Clone, Debug)]
pub struct CacheOutcome {
    /// The value of `Cache-Status`, without the key.
    pub status: String,
    /// The key, where one could be built.
    pub key: Option<String>,
}

/// A policy at work around a route.
#[derive(Debug)]
pub struct CacheMiddleware<S> {
    service: S,
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
        ready(Ok(CacheMiddleware { service }))
    }
}

impl<S, B> Service<ServiceRequest> for CacheMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let answer = self.service.call(request);
        Box::pin(async move { Ok(answer.await?.map_into_boxed_body()) })
    }
}
