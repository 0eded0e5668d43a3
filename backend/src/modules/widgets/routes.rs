//! Handlers of `/widgets` and of a user's widgets.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};

use super::schemas::{WidgetCount, WidgetCreate, WidgetQuery, WidgetUpdate};
use super::{crud, service};
use crate::infrastructure::auth::{Caller, Username};
use crate::infrastructure::cache::CacheArguments;
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{ApiError, IfMatch, Json, PageQuery, PathId, Query};

/// `POST /widgets`
pub async fn create(
    database: web::Data<Database>,
    arguments: CacheArguments,
    caller: Caller,
    Json(new): Json<WidgetCreate>,
) -> Result<HttpResponse, ApiError> {
    let widget = crud::insert(&database, caller.id, &new).await?;
    arguments.bind("owner", &widget.owner);
    let location = format!("/api/v1/widgets/{}", widget.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .json(widget))
}

/// `GET /widgets/{widget_id}`
pub async fn read(
    database: web::Data<Database>,
    PathId(id): PathId,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(crud::find(database.get_ref(), id).await?))
}

/// `PATCH /widgets/{widget_id}`
pub async fn update(
    database: web::Data<Database>,
    arguments: CacheArguments,
    caller: Caller,
    if_match: IfMatch,
    PathId(id): PathId,
    Json(change): Json<WidgetUpdate>,
) -> Result<HttpResponse, ApiError> {
    let widget = service::update(&database, &caller, &if_match, id, &change).await?;
    arguments.bind("owner", &widget.owner);
    Ok(HttpResponse::Ok().json(widget))
}

/// `DELETE /widgets/{widget_id}`
pub async fn delete(
    database: web::Data<Database>,
    arguments: CacheArguments,
    caller: Caller,
    if_match: IfMatch,
    PathId(id): PathId,
) -> Result<HttpResponse, ApiError> {
    let owner = service::delete(&database, &caller, &if_match, id).await?;
    arguments.bind("owner", owner);
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /widgets`
pub async fn search(
    database: web::Data<Database>,
    Query(query): Query<WidgetQuery>,
) -> Result<HttpResponse, ApiError> {
    let page = if query.q.is_empty() {
        crud::list(&database, query.pages()).await?
    } else {
        crud::search(&database, &query.q, query.pages()).await?
    };
    Ok(HttpResponse::Ok().json(page))
}

/// `GET /widgets/count`
pub async fn count(database: web::Data<Database>) -> Result<HttpResponse, ApiError> {
    let count = crud::count(&database).await?;
    Ok(HttpResponse::Ok().json(WidgetCount { count }))
}

/// `GET /users/{username}/widgets`
pub async fn list_of_user(
    database: web::Data<Database>,
    Username(username): Username,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(crud::list_of_user(&database, &username, query).await?))
}
