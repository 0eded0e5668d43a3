//! Widgets in the database: one statement for each operation, and two for a page, since its answer is cached.
//!
//! Come here to change a query. Rules are in `service`.

use sqlx::PgExecutor;

use super::models::Ownership;
use super::schemas::{WidgetCreate, WidgetRead, WidgetUpdate};
use crate::infrastructure::database::{Database, Transaction};
use crate::infrastructure::http::{ApiError, ApiResult, Page, PageQuery};

/// Inserts a widget. [`ApiError::Unauthorized`] if the owner has just been deleted: the lock on the
/// owner's row orders the two.
pub async fn insert(
    database: &Database,
    owner_id: i64,
    widget: &WidgetCreate,
) -> ApiResult<WidgetRead> {
    sqlx::query_as!(
        WidgetRead,
        r#"WITH owner AS (SELECT id, username FROM users WHERE id = $1 AND deleted_at IS NULL FOR SHARE)
           INSERT INTO widgets (owner_id, name, description) SELECT id, $2, $3 FROM owner
           RETURNING id, (SELECT username FROM owner) AS "owner!", name, description, created_at, updated_at"#,
        owner_id,
        widget.name,
        widget.description,
    )
    .fetch_optional(database)
    .await?
    .ok_or(ApiError::Unauthorized)
}

/// One widget.
pub async fn find(database: impl PgExecutor<'_>, id: i64) -> ApiResult<WidgetRead> {
    Ok(sqlx::query_as!(
        WidgetRead,
        "SELECT widgets.id, username AS owner, widgets.name, description, widgets.created_at, widgets.updated_at
         FROM widgets JOIN users ON users.id = owner_id
         WHERE widgets.id = $1 AND widgets.deleted_at IS NULL",
        id,
    )
    .fetch_one(database)
    .await?)
}

/// Locks a widget: no other transaction can change it until this one ends.
pub async fn lock(transaction: &mut Transaction, id: i64) -> ApiResult<()> {
    sqlx::query_scalar!(
        "SELECT id FROM widgets WHERE id = $1 AND deleted_at IS NULL FOR UPDATE",
        id
    )
    .fetch_one(transaction)
    .await?;
    Ok(())
}

/// The owner of a widget.
pub async fn find_ownership(database: &Database, id: i64) -> ApiResult<Ownership> {
    Ok(sqlx::query_as!(
        Ownership,
        "SELECT owner_id, username AS owner FROM widgets JOIN users ON users.id = owner_id
         WHERE widgets.id = $1 AND widgets.deleted_at IS NULL",
        id,
    )
    .fetch_one(database)
    .await?)
}

/// All widgets, newest first.
pub async fn list(database: &Database, query: PageQuery) -> ApiResult<Page<WidgetRead>> {
    // Limited before the join: a page far back joins its own rows only.
    let page = sqlx::query_as!(
        WidgetRead,
        "SELECT page.id, username AS owner, page.name, description, page.created_at, page.updated_at
         FROM (
             SELECT id, owner_id, name, description, created_at, updated_at FROM widgets
             WHERE deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET $2
         ) AS page
         JOIN users ON users.id = owner_id
         ORDER BY page.created_at DESC, page.id DESC",
        query.items_per_page,
        query.offset(),
    );
    let widgets = page.fetch_all(database.scans()).await?;
    Ok(Page::new(widgets, count(database).await?, query))
}

/// The widgets whose name or description contains a text, newest first.
pub async fn search(
    database: &Database,
    text: &str,
    query: PageQuery,
) -> ApiResult<Page<WidgetRead>> {
    // The search is the costly part: it runs once and answers the total and the ids of the page.
    let found = sqlx::query!(
        r#"WITH found AS MATERIALIZED (
               SELECT id, created_at FROM widgets
               WHERE deleted_at IS NULL AND (name ILIKE $1 OR description ILIKE $1)
           )
           SELECT (SELECT count(*) FROM found) AS "total!",
                  ARRAY(SELECT id FROM found ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3) AS "ids!""#,
        containing(text),
        query.items_per_page,
        query.offset(),
    );
    let found = found.fetch_one(database.scans()).await?;
    let page = sqlx::query_as!(
        WidgetRead,
        "SELECT widgets.id, username AS owner, widgets.name, description, widgets.created_at, widgets.updated_at
         FROM widgets JOIN users ON users.id = owner_id
         WHERE widgets.id = ANY($1) AND widgets.deleted_at IS NULL
         ORDER BY widgets.created_at DESC, widgets.id DESC",
        &found.ids,
    );
    let widgets = page.fetch_all(database.scans()).await?;
    Ok(Page::new(widgets, found.total, query))
}

/// A user's widgets, newest first. [`ApiError::NotFound`] where there is no such user.
pub async fn list_of_user(
    database: &Database,
    username: &str,
    query: PageQuery,
) -> ApiResult<Page<WidgetRead>> {
    let owner = sqlx::query!(
        r#"SELECT id, (
               SELECT count(*) FROM widgets WHERE owner_id = users.id AND widgets.deleted_at IS NULL
           ) AS "total!"
           FROM users WHERE username = $1 AND deleted_at IS NULL"#,
        username,
    );
    let owner = owner.fetch_one(database.scans()).await?;
    let page = sqlx::query_as!(
        WidgetRead,
        "SELECT widgets.id, username AS owner, widgets.name, description, widgets.created_at, widgets.updated_at
         FROM widgets JOIN users ON users.id = owner_id
         WHERE owner_id = $1 AND widgets.deleted_at IS NULL
         ORDER BY widgets.created_at DESC, widgets.id DESC LIMIT $2 OFFSET $3",
        owner.id,
        query.items_per_page,
        query.offset(),
    );
    let widgets = page.fetch_all(database.scans()).await?;
    Ok(Page::new(widgets, owner.total, query))
}

/// The number of widgets.
pub async fn count(database: &Database) -> ApiResult<i64> {
    let query =
        sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM widgets WHERE deleted_at IS NULL"#);
    Ok(query.fetch_one(database.scans()).await?)
}

/// Changes the given fields.
pub async fn update(
    database: impl PgExecutor<'_>,
    id: i64,
    change: &WidgetUpdate,
) -> ApiResult<WidgetRead> {
    Ok(sqlx::query_as!(
        WidgetRead,
        "UPDATE widgets
         SET name = coalesce($2, widgets.name),
             description = CASE WHEN $3 THEN $4 ELSE description END,
             updated_at = now()
         FROM users
         WHERE widgets.id = $1 AND widgets.deleted_at IS NULL AND users.id = owner_id
         RETURNING widgets.id, username AS owner, widgets.name, description, widgets.created_at, widgets.updated_at",
        id,
        change.name,
        change.description.is_some(),
        change.description.as_ref().and_then(Option::as_deref),
    )
    .fetch_one(database)
    .await?)
}

/// Marks a widget as deleted; the row stays.
pub async fn delete(database: impl PgExecutor<'_>, id: i64) -> ApiResult<()> {
    sqlx::query_scalar!(
        "UPDATE widgets SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING id",
        id
    )
    .fetch_one(database)
    .await?;
    Ok(())
}

/// Deletes all widgets of a user, in the transaction that deletes the user.
pub async fn delete_all_of(transaction: impl PgExecutor<'_>, owner_id: i64) -> ApiResult<()> {
    sqlx::query!(
        "UPDATE widgets SET deleted_at = now() WHERE owner_id = $1 AND deleted_at IS NULL",
        owner_id,
    )
    .execute(transaction)
    .await?;
    Ok(())
}

/// The pattern for texts that contain this text, in which `%`, `_` and `\` are literal.
fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
