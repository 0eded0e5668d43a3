//! The caller of a request: the owner of its access token.
//!
//! Come here to change how a request is authenticated. Declared routes have the middleware by
//! `signed_in()` and `superuser()`.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::token::AccessToken;
use crate::infrastructure::cache::bind_caller;
use crate::infrastructure::database::Database;
use crate::infrastructure::http::ApiError;

/// A signed-in user. As an extractor it answers 401 where there is none.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user's id.
    pub id: i64,
    /// The user's name.
    pub username: String,
    /// Whether the user has all rights.
    pub is_superuser: bool,
    /// The token of this request.
    pub token: AccessToken,
}

impl Caller {
    /// Whether the caller may change data of the user with this id: users may change their own data,
    /// superusers all data.
    #[must_use]
    pub const fn may_change(&self, owner_id: i64) -> bool {
        self.id == owner_id || self.is_superuser
    }

    /// The caller of the request. The token is checked at every request, so a revoked token is refused
    /// at once.
    async fn authenticate(request: &HttpRequest) -> Result<Self, ApiError> {
        if let Some(caller) = request.extensions().get::<Self>() {
            return Ok(caller.clone());
        }
        let token = AccessToken::from_request(request).ok_or(ApiError::Unauthorized)?;
        let database = request
            .app_data::<web::Data<Database>>()
            .ok_or_else(|| ApiError::internal(&"no database"))?;
        let user = sqlx::query!(
            "SELECT users.id, users.username, users.is_superuser, users.rights_version
             FROM access_tokens JOIN users ON users.id = access_tokens.user_id
             WHERE token_hash = $1 AND expires_at > now() AND users.deleted_at IS NULL",
            token.hash(),
        )
        .fetch_optional(database.get_ref())
        .await?
        .ok_or(ApiError::Unauthorized)?;
        let caller = Self {
            id: user.id,
            username: user.username,
            is_superuser: user.is_superuser,
            token,
        };
        request.extensions_mut().insert(caller.clone());
        // Bound by the middleware and by the extractor: the cache refuses to store an answer whose
        // caller was bound only behind it (C45).
        bind_caller(request, caller.id, user.rights_version.cast_unsigned());
        Ok(caller)
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::authenticate(&request).await })
    }
}

/// A middleware that authenticates before its inner service runs: without a valid token the answer is
/// 401. It binds the argument `caller`.
///
/// A declared route has it outermost with `signed_in()` (see
/// [`resource`](crate::infrastructure::resource)). Where a route is wrapped by hand, it must be wrapped
/// last, so that a hit never skips it: `get().to(read_me).wrap(cache::ME).wrap(RequireCaller)`.
#[derive(Clone, Copy, Debug)]
pub struct RequireCaller;

/// [`RequireCaller`], and 403 for a caller who is no superuser. A declared route has it with `superuser()`.
#[derive(Clone, Copy, Debug)]
pub struct RequireSuperuser;

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
            only_superusers: false,
        }))
    }
}

impl<S, B> Transform<S, ServiceRequest> for RequireSuperuser
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
            only_superusers: true,
        }))
    }
}

/// The running [`RequireCaller`] or [`RequireSuperuser`] of a route.
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
