//! The middleware that refuses requests without a caller.
//!
//! Come here to change what happens before a route that needs a caller. Declared routes have it by `signed_in()` and
//! `superuser()`. How a request is authenticated is in `caller`.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use futures_util::future::LocalBoxFuture;

use super::caller::Caller;
use crate::http::ApiError;

/// A middleware that authenticates before its inner service runs: without a valid token the answer is
/// 401. It binds the argument `caller`.
///
/// A declared route has it outermost with `signed_in()` or `superuser()` (see
/// [`resource`](crate::resource)). Where a route is wrapped by hand, it must be wrapped last, so that a hit
/// never skips it: `get().to(read_me).wrap(cache::ME).wrap(RequireCaller::signed_in())`.
#[derive(Clone, Copy, Debug)]
pub struct RequireCaller {
    only_superusers: bool,
}

impl RequireCaller {
    /// Any signed-in caller.
    #[must_use]
    pub const fn signed_in() -> Self {
        Self {
            only_superusers: false,
        }
    }

    /// A superuser. Other callers get 403.
    #[must_use]
    pub const fn superuser() -> Self {
        Self {
            only_superusers: true,
        }
    }
}

impl<S, B> Transform<S, ServiceRequest> for RequireCaller
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = RequireCallerMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RequireCallerMiddleware {
            service: Rc::new(service),
            only_superusers: self.only_superusers,
        }))
    }
}

/// The running [`RequireCaller`] of a route.
#[derive(Debug)]
pub struct RequireCallerMiddleware<S> {
    service: Rc<S>,
    only_superusers: bool,
}

impl<S, B> Service<ServiceRequest> for RequireCallerMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let service = Rc::clone(&self.service);
        let only_superusers = self.only_superusers;
        Box::pin(async move {
            match Caller::authenticate(request.request()).await {
                Ok(caller) if only_superusers && !caller.is_superuser => {
                    Ok(request.error_response(ApiError::Forbidden("only superusers may do this")))
                }
                Ok(_) => Ok(service.call(request).await?.map_into_boxed_body()),
                Err(error) => Ok(request.error_response(error)),
            }
        })
    }
}
