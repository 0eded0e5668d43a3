//! Finding who signs in.

use crate::infrastructure::database::Database;
use crate::infrastructure::http::ApiError;

/// What is checked when somebody signs in.
pub struct Account {
    /// The user's id.
    pub id: i64,
    /// The hash of the password.
    pub password_hash: String,
}

/// The account of a username or an e-mail address.
pub async fn find_account(
    database: &Database,
    username_or_email: &str,
) -> Result<Option<Account>, ApiError> {
    // A name holds no `@` and an address does: the two cannot be mistaken for each other.
    Ok(sqlx::query_as!(
        Account,
        "SELECT id, password_hash FROM users WHERE (username = $1 OR email = $1) AND deleted_at IS NULL",
        username_or_email,
    )
    .fetch_optional(database)
    .await?)
}
