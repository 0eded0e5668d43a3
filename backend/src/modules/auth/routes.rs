//! Handlers of `/auth`.
//!
//! Come here to change what a request does. Passwords and tokens are checked in `infrastructure::auth`, and paths are
//! declared in `mod.rs`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{CustomizeResponder, Responder, web};

use super::schemas::{Login, Token};
use super::service::{self, SignIn};
use crate::infrastructure::auth::{Attempts, Caller, Passwords};
use crate::infrastructure::client_address::ClientAddress;
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{ApiNoContent, ApiResult, Json, no_content};
use crate::infrastructure::security_log::SecurityContext;

/// `POST /auth/login`: takes as long for an unknown name as for a wrong password.
pub async fn login(
    database: Database,
    passwords: web::Data<Passwords>,
    attempts: web::Data<Attempts>,
    address: ClientAddress,
    security: SecurityContext,
    Json(login): Json<Login>,
) -> ApiResult<CustomizeResponder<Json<Token>>> {
    let sign_in = SignIn {
        database: &database,
        passwords: &passwords,
        attempts: &attempts,
        address,
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
