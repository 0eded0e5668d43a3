//! Handlers of `/auth`.
//!
//! Come here to change what a request does. Passwords and tokens are checked in `infrastructure::auth`, and paths are
//! declared in `mod.rs`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{CustomizeResponder, Responder, web};

use super::schemas::{Login, Token};
use crate::infrastructure::auth::{
    Attempts, Caller, Claimed, Passwords, issue, revoke, revoke_all,
};
use crate::infrastructure::client_address::ClientAddress;
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{ApiError, ApiNoContent, ApiResult, Json, no_content};
use crate::modules::users::find_account_to_sign_in;

/// `POST /auth/login`: takes as long for an unknown name as for a wrong password.
pub async fn login(
    database: Database,
    passwords: web::Data<Passwords>,
    attempts: web::Data<Attempts>,
    address: ClientAddress,
    Json(login): Json<Login>,
) -> ApiResult<CustomizeResponder<Json<Token>>> {
    let name = login.username.to_lowercase();
    // Text in PostgreSQL cannot contain NUL, so no user has such a name.
    let account = if name.contains('\0') {
        None
    } else {
        find_account_to_sign_in(&database, &name).await?
    };
    let hash = account
        .as_ref()
        .map(|account| account.password_hash.clone());
    let claimed = match &account {
        Some(account) => Claimed::Account(account.id),
        None => Claimed::Unknown(&name),
    };
    let verified = passwords.verify(&attempts, (claimed, address), login.password, hash);
    if !verified.await? {
        return Err(ApiError::WrongCredentials);
    }
    let account = account.ok_or(ApiError::WrongCredentials)?;
    let issued = issue(&database, account.id, &account.password_hash)
        .await?
        .ok_or(ApiError::WrongCredentials)?;
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
pub async fn logout(database: Database, caller: Caller) -> ApiNoContent {
    revoke(&database, &caller.token).await?;
    no_content()
}

/// `POST /auth/logout-all`: revokes every token of the caller.
pub async fn logout_all(database: Database, caller: Caller) -> ApiNoContent {
    revoke_all(&database, caller.id).await?;
    no_content()
}
