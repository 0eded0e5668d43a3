//! The middleware of the limit.
//!
//! Come here for its place in the way of a request. A request without a token that nothing has to be told about, such as most hits
//! of the cache, is counted without an allocation.

use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::Error;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::AUTHORIZATION;
use futures_util::FutureExt;
use futures_util::future::{Either, LocalBoxFuture, Map};

use super::{Allowance, Key, RateLimit, address_of};
use crate::infrastructure::http::ApiError;

/// Answers with 429 where the limit is reached. Without a limit it does nothing.
#[derive(Clone, Debug)]
pub struct LimitRequests(pub Option<Arc<RateLimit>>);

/// The running [`LimitRequests`].
#[derive(Debug)]
pub struct LimitRequestsMiddleware<S> {
    limit: Option<Arc<RateLimit>>,
    service: Rc<S>,
}

/// An answer of the inner service, or a refusal.
type Answer<B> = Result<ServiceResponse<EitherBody<B, BoxBody>>, Error>;
type ToAnswer<B> = fn(Result<ServiceResponse<B>, Error>) -> Answer<B>;

impl<S, B> Transform<S, ServiceRequest> for LimitRequests
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
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

impl<S, B> Service<ServiceRequest> for LimitRequestsMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type Future = Either<Map<S::Future, ToAnswer<B>>, LocalBoxFuture<'static, Answer<B>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let limit = match &self.limit {
            Some(limit) if !limit.exempts(request.path()) => limit,
            _ => return Either::Left(self.service.call(request).map(unchanged)),
        };
        let (limit, service) = (Arc::clone(limit), Rc::clone(&self.service));
        if request.headers().contains_key(AUTHORIZATION) {
            return Either::Right(Box::pin(async move {
                let key = limit.key_of(request.request()).await;
                answer(&limit, &*service, request, (key, limit.count(key))).await
            }));
        }
        let key = address_of(request.request());
        match limit.count(key) {
            Ok(allowance) if !limit.is_low(allowance) => {
                Either::Left(service.call(request).map(unchanged))
            }
            counted => Either::Right(Box::pin(async move {
                answer(&limit, &*service, request, (key, counted)).await
            })),
        }
    }
}

fn unchanged<B>(outcome: Result<ServiceResponse<B>, Error>) -> Answer<B> {
    outcome.map(ServiceResponse::map_into_left_body)
}

async fn answer<S, B>(
    limit: &RateLimit,
    service: &S,
    request: ServiceRequest,
    (key, counted): (Key, Result<Allowance, Allowance>),
) -> Answer<B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    match counted {
        Ok(allowance) => {
            let mut response = service.call(request).await?.map_into_left_body();
            if limit.is_low(allowance) {
                limit.tell(response.headers_mut(), key, allowance);
            }
            Ok(response)
        }
        Err(allowance) => {
            let error = ApiError::TooManyRequests(allowance.more_after);
            let mut response = request.error_response(error).map_into_right_body();
            limit.tell(response.headers_mut(), key, allowance);
            Ok(response)
        }
    }
}
