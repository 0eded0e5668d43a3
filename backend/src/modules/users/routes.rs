//! Handlers of `/users`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};

use super::schemas::{UserCreate, UserUpdate};
use super::service::PasswordChecks;
use super::{crud, service};
use crate::infrastructure::auth::{Attempts, Caller, Passwords, Username};
use crate::infrastructure::cache::CacheArguments;
use crate::infrastructure::client_address::ClientAddress;
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{ApiError, IfMatch, Json, PageQuery, Query};

/// `POST /users`
pub async fn create(
    database: web::Data<Database>,
    passwords: web::Data<Passwords>,
    address: ClientAddress,
    arguments: CacheArguments,
    Json(new): Json<UserCreate>,
) -> Result<HttpResponse, ApiError> {
    let user = service::create(&database, &passwords, address, new).await?;
    arguments.bind("username", &user.username);
    let location = format!("/api/v1/users/{}", user.username);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .json(user))
}

/// `GET /users`
pub async fn list(
    database: web::Data<Database>,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(crud::list(&database, query).await?))
}

/// `GET /users/me`
pub async fn read_me(
    database: web::Data<Database>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(crud::find(database.get_ref(), caller.id).await?))
}

/// `GET /users/{username}`
pub async fn read(
    database: web::Data<Database>,
    Username(username): Username,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(crud::find_profile(database.get_ref(), &username).await?))
}

/// `PATCH /users/{username}`
pub async fn update(
    database: web::Data<Database>,
    (passwords, attempts, address): (web::Data<Passwords>, web::Data<Attempts>, ClientAddress),
    arguments: CacheArguments,
    caller: Caller,
    if_match: IfMatch,
    Username(username): Username,
    Json(change): Json<UserUpdate>,
) -> Result<HttpResponse, ApiError> {
    let checks = PasswordChecks {
        passwords: &passwords,
        attempts: &attempts,
        address,
    };
    let user =
        service::update(&database, &checks, &caller, &if_match, &username, change).await?;
    arguments.bind("user_id", user.id);
    Ok(HttpResponse::Ok().json(user))
}

/// `DELETE /users/{username}`
pub async fn delete(
    database: web::Data<Database>,
    arguments: CacheArguments,
    caller: Caller,
    if_match: IfMatch,
    Username(username): Username,
) -> Result<HttpResponse, ApiError> {
    let deleted = service::delete(&database, &caller, &if_match, &username).await?;
    arguments.bind("user_id", deleted.user_id);
    arguments.bind("owner", username);
    arguments.bind_all("widget_id", deleted.widget_ids);
    Ok(HttpResponse::NoContent().finish())
}
