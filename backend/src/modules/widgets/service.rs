//! The rules of widgets: who may change what.

use sqlx::PgPool;

use super::crud;
use super::models::Ownership;
use super::schemas::{WidgetRead, WidgetUpdate};
use crate::infrastructure::auth::Caller;
use crate::infrastructure::http::ApiError;

/// Changes a widget of the caller, or any for a superuser. A change of nothing leaves it as it is.
pub async fn update(
    database: &PgPool,
    caller: &Caller,
    id: i64,
    change: &WidgetUpdate,
) -> Result<WidgetRead, ApiError> {
    check_may_change(database, caller, id).await?;
    if change.name.is_none() && change.description.is_none() {
        return crud::find(database, id).await;
    }
    crud::update(database, id, change).await
}

/// Deletes a widget of the caller, or any for a superuser; its owner's name comes back.
pub async fn delete(database: &PgPool, caller: &Caller, id: i64) -> Result<String, ApiError> {
    let ownership = check_may_change(database, caller, id).await?;
    crud::delete(database, id).await?;
    Ok(ownership.owner)
}

async fn check_may_change(
    database: &PgPool,
    caller: &Caller,
    id: i64,
) -> Result<Ownership, ApiError> {
    let ownership = crud::find_ownership(database, id).await?;
    if ownership.owner_id == caller.id || caller.is_superuser {
        Ok(ownership)
    } else {
        Err(ApiError::Forbidden(
            "only its owner and superusers may change a widget",
        ))
    }
}
