//! Handlers of `/widgets` and of a user's widgets.
//!
//! Come here to change what a request does. Paths and callers are declared in `mod.rs`, rules are in `service`,
//! statements in `crud`.

use super::schemas::{WidgetCount, WidgetCreate, WidgetQuery, WidgetRead, WidgetUpdate};
use super::{crud, service};
use crate::infrastructure::auth::{Caller, Username};
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{
    ApiCreated, ApiJson, ApiNoContent, ApiPage, IfMatch, Json, PageQuery, PathId, Query, created,
    no_content, ok,
};
use crate::infrastructure::security_log::SecurityContext;

/// `POST /widgets`
pub async fn create(
    database: Database,
    caller: Caller,
    Json(new): Json<WidgetCreate>,
) -> ApiCreated<WidgetRead> {
    let widget = crud::insert(&database, caller.id, &new).await?;
    created(widget.id, widget)
}

/// `GET /widgets/{widget_id}`
pub async fn read(database: Database, PathId(id): PathId) -> ApiJson<WidgetRead> {
    ok(crud::find(&database, id).await?)
}

/// `PATCH /widgets/{widget_id}`
pub async fn update(
    database: Database,
    security: SecurityContext,
    caller: Caller,
    if_match: IfMatch,
    PathId(id): PathId,
    Json(change): Json<WidgetUpdate>,
) -> ApiJson<WidgetRead> {
    ok(service::update(&database, &security, &caller, &if_match, id, &change).await?)
}

/// `DELETE /widgets/{widget_id}`
pub async fn delete(
    database: Database,
    security: SecurityContext,
    caller: Caller,
    if_match: IfMatch,
    PathId(id): PathId,
) -> ApiNoContent {
    service::delete(&database, &security, &caller, &if_match, id).await?;
    no_content()
}

/// `GET /widgets`
pub async fn search(database: Database, Query(query): Query<WidgetQuery>) -> ApiPage<WidgetRead> {
    let page = PageQuery::new(query.page, query.items_per_page);
    ok(if query.q.is_empty() {
        crud::list(&database, page).await?
    } else {
        crud::search(&database, &query.q, page).await?
    })
}

/// `GET /widgets/count`
pub async fn count(database: Database) -> ApiJson<WidgetCount> {
    let count = crud::count(&database).await?;
    ok(WidgetCount { count })
}

/// `GET /users/{username}/widgets`
pub async fn list_of_user(
    database: Database,
    Username(username): Username,
    query: PageQuery,
) -> ApiPage<WidgetRead> {
    ok(crud::list_of_user(&database, &username, query).await?)
}
