//! The middleware of a policy around a route.
//!
//! By method: GET is read through the cache ([`super::read`]). HEAD is answered from the entry of GET.
//! POST, PUT, PATCH and DELETE invalidate after their handler has succeeded ([`super::write`]). Other
//! methods pass unchanged (C11). Come here to change what a method does; nothing else is decided here.

use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::Method;
use actix_web::{Error, web};
use futures_util::future::{Either, LocalBoxFuture};

use super::handler::Handler;
use super::misuse::{CallerOfKey, check_position};
use super::read::FirstStep;
use super::verify::{Hit, verify_in_background};
use super::{read, write};
use crate::policy::{CachePolicy, CompiledPolicy, Invalidation};
use crate::provider::Cache;

/// The running policy of a route.
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
        Invalidation::from(*self).new_transform(service)
    }
}

impl<S, B> Transform<S, ServiceRequest> for Invalidation
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
            policy: Rc::new(CompiledPolicy::new(self)),
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
        if let Err(misuse) = check_position(request.request()) {
            misuse.log(&policy, request.request());
            return Either::Left(ready(Ok(request.error_response(misuse))));
        }
        let method = request.method();
        if method == Method::GET || method == Method::HEAD {
            return match read::begin(&cache.shared, &policy, &request) {
                FirstStep::Hit(entry, plan, now) => {
                    if let Some(comparison) = cache.shared.verification.begin(entry.id) {
                        let hit = Hit {
                            cache: Cache::clone(&cache),
                            policy: Rc::clone(&policy),
                            handler,
                            request: request.request().clone(),
                            plan: plan.clone(),
                            entry: Arc::clone(&entry),
                        };
                        verify_in_background(comparison, hit);
                    }
                    let shared = &cache.shared;
                    let response = read::hit(shared, &policy, request, &entry, &plan.key, now);
                    Either::Left(ready(Ok(response)))
                }
                FirstStep::Ask(plan) => {
                    Either::Right(Box::pin(read::ask(cache, policy, handler, request, plan)))
                }
                FirstStep::Alone(outcome, key) => Either::Right(Box::pin(async move {
                    let caller = CallerOfKey::of(request.request());
                    read::alone(&cache, &policy, handler, request, outcome, key, &caller).await
                })),
                FirstStep::Misused(misuse) => {
                    Either::Left(ready(Ok(request.error_response(misuse))))
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
