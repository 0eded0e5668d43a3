//! The middleware of the limit.
//!
//! Come here to change its place in the way of a request. A request without a token and without header fields of the
//! limit, such as most hits of the cache, is counted without an allocation and without a copy of what the workers share.
//! The counting is in `buckets`, not here.

use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::AUTHORIZATION;
use futures_util::future::{Either, LocalBoxFuture};

use super::{Allowance, Key, RateLimit};
use crate::http::ApiError;

/// Answers with 429 where the limit is reached. Without a limit it does nothing.
#[derive(Clone, Debug)]
pub struct LimitRequests(pub Option<Arc<RateLimit>>);

/// The running [`LimitRequests`].
#[derive(Debug)]
pub struct LimitRequestsMiddleware<S> {
    limit: Option<Arc<RateLimit>>,
    service: Rc<S>,
}

impl<S> Transform<S, ServiceRequest> for LimitRequests
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Transform = LimitRequestsMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(LimitRequestsMiddleware {
            limit: self.0.clone(),
            service: Rc::new(service),
        }))
    }
}

impl<S> Service<ServiceRequest> for LimitRequestsMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Either<S::Future, LocalBoxFuture<'static, Result<ServiceResponse, Error>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let limit = match &self.limit {
            Some(limit) if !limit.exempts(request.path()) => limit,
            _ => return Either::Left(self.service.call(request)),
        };
        let shared = || (Arc::clone(limit), Rc::clone(&self.service));
        if request.headers().contains_key(AUTHORIZATION) {
            let (limit, service) = shared();
            return Either::Right(Box::pin(async move {
                let key = limit.key_of(request.request()).await;
                answer(&limit, &*service, request, (key, limit.count(key))).await
            }));
        }
        let key = limit.address_of(request.request());
        match limit.count(key) {
            Ok(allowance) if !limit.is_low(allowance) => Either::Left(self.service.call(request)),
            counted => {
                let (limit, service) = shared();
                Either::Right(Box::pin(async move {
                    answer(&limit, &*service, request, (key, counted)).await
                }))
            }
        }
    }
}

async fn answer<S>(
    limit: &RateLimit,
    service: &S,
    request: ServiceRequest,
    (key, counted): (Key, Result<Allowance, Allowance>),
) -> Result<ServiceResponse, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    match counted {
        Ok(allowance) => {
            let mut response = service.call(request).await?;
            if limit.is_low(allowance) {
                limit.insert_fields(response.headers_mut(), key, allowance);
            }
            Ok(response)
        }
        Err(allowance) => {
            let error = ApiError::TooManyRequests(allowance.more_after);
            let mut response = request.error_response(error);
            limit.insert_fields(response.headers_mut(), key, allowance);
            Ok(response)
        }
    }
}
