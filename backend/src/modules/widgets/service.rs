//! The rules of widgets.
//!
//! Come here to change who may do what to a widget. Queries are in `crud`.

use super::crud;
use super::models::Ownership;
use super::schemas::{WidgetRead, WidgetUpdate};
use crate::infrastructure::auth::Caller;
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{ApiResult, IfMatch};
use crate::infrastructure::security_log::{SecurityContext, SecurityEvent};

/// Changes a widget: owners may change their own, superusers may change all. An empty change does
/// nothing.
pub async fn update(
    database: &Database,
    security: &SecurityContext,
    caller: &Caller,
    if_match: &IfMatch,
    id: i64,
    change: &WidgetUpdate,
) -> ApiResult<WidgetRead> {
    let owned = check_may_change(database, caller, id).await?;
    if change.is_empty() && !if_match.is_given() {
        return crud::find(database, id).await;
    }
    let act = security
        .act_on((owned.owner_id, &owned.owner), caller)
        .await?;
    let changed = if if_match.is_given() {
        let mut transaction = database.begin().await?;
        crud::lock(&mut transaction, id).await?;
        let current = crud::find(&mut transaction, id).await?;
        if_match.check(&current)?;
        if change.is_empty() {
            return Ok(current);
        }
        let changed = crud::update(&mut transaction, id, change).await?;
        transaction.commit().await?;
        changed
    } else {
        crud::update(database, id, change).await?
    };
    act.done(SecurityEvent::DataChanged);
    Ok(changed)
}

/// Deletes a widget: owners may delete their own, superusers may delete all.
pub async fn delete(
    database: &Database,
    security: &SecurityContext,
    caller: &Caller,
    if_match: &IfMatch,
    id: i64,
) -> ApiResult<()> {
    let owned = check_may_change(database, caller, id).await?;
    let act = security
        .act_on((owned.owner_id, &owned.owner), caller)
        .await?;
    if if_match.is_given() {
        let mut transaction = database.begin().await?;
        crud::lock(&mut transaction, id).await?;
        if_match.check(&crud::find(&mut transaction, id).await?)?;
        crud::delete(&mut transaction, id).await?;
        transaction.commit().await?;
    } else {
        crud::delete(database, id).await?;
    }
    act.done(SecurityEvent::DataDeleted);
    Ok(())
}

async fn check_may_change(database: &Database, caller: &Caller, id: i64) -> ApiResult<Ownership> {
    let ownership = crud::find_ownership(database, id).await?;
    caller.check_may_change(ownership.owner_id)?;
    Ok(ownership)
}
