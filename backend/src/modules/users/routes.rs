//! Handlers of `/users`.
//!
//! Come here to change what a request does. Paths and callers are declared in `mod.rs`, rules are in `service`,
//! statements in `crud`.

use actix_web::{HttpRequest, web};

use super::schemas::{UserCreate, UserProfile, UserRead, UserUpdate};
use super::service::PasswordChecks;
use super::{crud, service};
use crate::infrastructure::auth::{AccessToken, Attempts, Caller, Passwords, Username};
use crate::infrastructure::client_address::ClientAddress;
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{
    ApiCreated, ApiError, ApiJson, ApiNoContent, ApiPage, IfMatch, Json, PageQuery, created,
    no_content, ok,
};
use crate::infrastructure::security_log::SecurityContext;
use crate::infrastructure::settings::SignUp;

/// `POST /users`: a superuser who is signed in may make accounts although signing up is closed.
pub async fn create(
    database: Database,
    (passwords, sign_up): (web::Data<Passwords>, web::Data<SignUp>),
    (address, security): (ClientAddress, SecurityContext),
    request: HttpRequest,
    caller: Result<Caller, ApiError>,
    Json(new): Json<UserCreate>,
) -> ApiCreated<UserRead> {
    let caller = match caller {
        Ok(caller) => Some(caller),
        // A token that is no longer valid is a 401 where it would have helped.
        Err(error)
            if **sign_up == SignUp::Closed && AccessToken::from_request(&request).is_some() =>
        {
            return Err(error);
        }
        Err(_) => None,
    };
    let asking = (**sign_up, caller.as_ref());
    let user = service::create(&database, &passwords, (address, &security), asking, new).await?;
    created(user.username.clone(), user)
}

/// `GET /users`
pub async fn list(database: Database, query: PageQuery) -> ApiPage<UserRead> {
    ok(crud::list(&database, query).await?)
}

/// `GET /users/me`
pub async fn read_me(database: Database, caller: Caller) -> ApiJson<UserRead> {
    ok(crud::find(&database, caller.id).await?)
}

/// `GET /users/{username}`
pub async fn read(database: Database, Username(username): Username) -> ApiJson<UserProfile> {
    ok(crud::find_profile(&database, &username).await?)
}

/// `PATCH /users/{username}`
pub async fn update(
    database: Database,
    (passwords, attempts): (web::Data<Passwords>, web::Data<Attempts>),
    (address, security): (ClientAddress, SecurityContext),
    caller: Caller,
    if_match: IfMatch,
    Username(username): Username,
    Json(change): Json<UserUpdate>,
) -> ApiJson<UserRead> {
    let checks = PasswordChecks {
        passwords: &passwords,
        attempts: &attempts,
        address,
    };
    let with = (&checks, &security);
    ok(service::update(&database, with, &caller, &if_match, &username, change).await?)
}

/// `DELETE /users/{username}`
pub async fn delete(
    database: Database,
    security: SecurityContext,
    caller: Caller,
    if_match: IfMatch,
    Username(username): Username,
) -> ApiNoContent {
    service::delete(&database, &security, &caller, &if_match, &username).await?;
    no_content()
}
