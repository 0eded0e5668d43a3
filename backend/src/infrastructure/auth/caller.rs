//! The caller of a request: the owner of its access token.
//!
//! Come here to change how a request is authenticated. The middleware that refuses requests without a caller is in
//! `require_caller`.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::last_use;
use super::token::AccessToken;
use crate::cache::bind_caller;
use crate::database::Database;
use crate::http::ApiError;

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

    /// Refuses a caller who may not change data of the user with this id.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] for everybody but that user and superusers.
    pub const fn check_may_change(&self, owner_id: i64) -> Result<(), ApiError> {
        if self.may_change(owner_id) {
            Ok(())
        } else {
            Err(ApiError::Forbidden(
                "only the owner and superusers may do this",
            ))
        }
    }

    /// The caller of the request. The token is checked at every request, so a revoked token is refused
    /// at once.
    pub(super) async fn authenticate(request: &HttpRequest) -> Result<Self, ApiError> {
        if let Some(caller) = request.extensions().get::<Self>() {
            return Ok(caller.clone());
        }
        let token = AccessToken::from_request(request).ok_or(ApiError::Unauthorized)?;
        let database = request
            .app_data::<web::Data<Database>>()
            .ok_or_else(|| ApiError::internal(&"no database"))?;
        let user = sqlx::query!(
            r#"SELECT users.id, users.username, users.is_superuser, users.rights_version,
                      last_used_at < date_trunc('hour', now(), 'UTC') AS "is_first_use_of_hour!"
               FROM access_tokens JOIN users ON users.id = access_tokens.user_id
               WHERE token_hash = $1 AND expires_at > now() AND users.deleted_at IS NULL"#,
            token.hash(),
        )
        .fetch_optional(database.get_ref())
        .await?
        .ok_or(ApiError::Unauthorized)?;
        if user.is_first_use_of_hour {
            last_use::note(database, token);
        }
        let caller = Self {
            id: user.id,
            username: user.username,
            is_superuser: user.is_superuser,
            token,
        };
        request.extensions_mut().insert(caller.clone());
        // Both the middleware and the extractor bind the caller. So the cache notices a caller who becomes known only
        // behind it, and does not store the answer (C45).
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
