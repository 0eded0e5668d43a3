//! Handlers of `/auth`.
//!
//! Come here to change what a request does. Passwords and tokens are checked in `infrastructure::auth`, and paths are
//! declared in `mod.rs`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{CustomizeResponder, Responder, web};

use super::crud;
use super::schemas::{Login, SessionRead, Token};
use super::service::{self, SignIn};
use crate::infrastructure::auth::{Attempts, Caller, Origin, Passwords};
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{
    ApiNoContent, ApiPage, ApiResult, Json, PageQuery, PathId, no_content, ok,
};
use crate::infrastructure::security_log::SecurityContext;

/// `POST /auth/login`: takes as long for an unknown name as for a wrong password.
pub async fn login(
    database: Database,
    passwords: web::Data<Passwords>,
    attempts: web::Data<Attempts>,
    origin: Origin,
    security: SecurityContext,
    Json(login): Json<Login>,
) -> ApiResult<CustomizeResponder<Json<Token>>> {
    let sign_in = SignIn {
        database: &database,
        passwords: &passwords,
        attempts: &attempts,
        origin: &origin,
    };
    let issued = sign_in.run(&security, login).await?;
    let token = Token {
        access_token: issued.token,
        token_type: "bearer",
        expires_at: issued.expires_at,
    };
    Ok(Json(token)
        .customize()
        .insert_header((CACHE_CONTROL, "no-store")))
}

/// `POST /auth/logout`: revokes the token of the request.
pub async fn logout(database: Database, security: SecurityContext, caller: Caller) -> ApiNoContent {
    service::sign_out(&database, &security, &caller).await?;
    no_content()
}

/// `POST /auth/logout-all`: revokes every token of the caller.
pub async fn logout_all(
    database: Database,
    security: SecurityContext,
    caller: Caller,
) -> ApiNoContent {
    service::sign_out_everywhere(&database, &security, &caller).await?;
    no_content()
}

/// `GET /auth/sessions`: the caller's own. It is not cached, so that a session that has ended is never shown.
pub async fn list_sessions(
    database: Database,
    caller: Caller,
    query: PageQuery,
) -> ApiPage<SessionRead> {
    ok(crud::list_sessions(&database, caller.id, query).await?)
}

/// `DELETE /auth/sessions/{id}`: a session of somebody else is not found.
pub async fn end_session(
    database: Database,
    security: SecurityContext,
    caller: Caller,
    PathId(id): PathId,
) -> ApiNoContent {
    service::end_session(&database, &security, &caller, id).await?;
    no_content()
}
