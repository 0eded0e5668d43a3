//! Sessions in the database: the access tokens of a user, without their hashes.
//!
//! Come here to change a query. Tokens are issued and revoked in `infrastructure::auth`.

use super::schemas::SessionRead;
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{ApiResult, Page, PageQuery};

/// The sessions of a user, newest first.
pub async fn list_sessions(
    database: &Database,
    user_id: i64,
    query: PageQuery,
) -> ApiResult<Page<SessionRead>> {
    let sessions = sqlx::query_as!(
        SessionRead,
        "SELECT id, created_at, last_used_at, client, address FROM access_tokens
         WHERE user_id = $1 AND expires_at > now() ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
        user_id,
        query.items_per_page,
        query.offset(),
    );
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM access_tokens WHERE user_id = $1 AND expires_at > now()"#,
        user_id,
    );
    database.page(query, sessions, total).await
}

/// Ends one session of a user. [`ApiError::NotFound`](crate::infrastructure::http::ApiError::NotFound) where the user has no such
/// session.
pub async fn delete_session(database: &Database, user_id: i64, id: i64) -> ApiResult<()> {
    sqlx::query_scalar!(
        "DELETE FROM access_tokens WHERE id = $1 AND user_id = $2 AND expires_at > now() RETURNING id",
        id,
        user_id,
    )
    .fetch_one(database)
    .await?;
    Ok(())
}
