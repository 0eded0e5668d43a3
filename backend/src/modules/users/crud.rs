//! Users in the database.
//!
//! Come here to change a query. Rules are in `service`.

use sqlx::PgExecutor;

use super::models::{Account, ErasedAccount};
use super::schemas::{UserProfile, UserRead};
use crate::infrastructure::database::{Database, Transaction};
use crate::infrastructure::http::{ApiError, ApiResult, Page, PageQuery};

/// A user to be inserted.
pub struct NewUser<'a> {
    /// The name in addresses.
    pub username: &'a str,
    /// The e-mail address, in lower case.
    pub email: &'a str,
    /// The name that is shown.
    pub name: &'a str,
    /// The hash of the password.
    pub password_hash: &'a str,
    /// Whether the user has all rights.
    pub is_superuser: bool,
}

/// The changed fields; `None` keeps a field.
pub struct Change<'a> {
    /// The name that is shown.
    pub name: Option<&'a str>,
    /// The e-mail address, in lower case.
    pub email: Option<&'a str>,
    /// The hash of the new password.
    pub password_hash: Option<&'a str>,
    /// Whether the user has all rights.
    pub is_superuser: Option<bool>,
}

/// Inserts a user.
pub async fn insert(database: &Database, user: &NewUser<'_>) -> ApiResult<UserRead> {
    Ok(sqlx::query_as!(
        UserRead,
        r#"INSERT INTO users (username, email, name, password_hash, is_superuser) VALUES ($1, $2, $3, $4, $5)
           RETURNING id, username, email AS "email!", name AS "name!", is_superuser, created_at, updated_at"#,
        user.username,
        user.email,
        user.name,
        user.password_hash,
        user.is_superuser,
    )
    .fetch_one(database)
    .await?)
}

/// Whether that username was ever taken, and whether by a superuser who still exists.
pub async fn is_superuser(database: &Database, username: &str) -> ApiResult<Option<bool>> {
    let query = sqlx::query_scalar!(
        r#"SELECT is_superuser AND deleted_at IS NULL AS "is_superuser!" FROM users WHERE username = $1"#,
        username,
    );
    Ok(query.fetch_optional(database).await?)
}

/// The part of a user that everybody may see.
pub async fn find_profile(database: impl PgExecutor<'_>, username: &str) -> ApiResult<UserProfile> {
    Ok(sqlx::query_as!(
        UserProfile,
        r#"SELECT id, username, name AS "name!", created_at FROM users WHERE username = $1 AND deleted_at IS NULL"#,
        username,
    )
    .fetch_one(database)
    .await?)
}

/// Locks a user, and returns it: no other transaction can change the row until this one ends.
pub async fn lock(transaction: &mut Transaction, id: i64) -> ApiResult<UserRead> {
    Ok(sqlx::query_as!(
        UserRead,
        r#"SELECT id, username, email AS "email!", name AS "name!", is_superuser, created_at, updated_at
           FROM users WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"#,
        id
    )
    .fetch_one(transaction)
    .await?)
}

/// A whole user.
pub async fn find(database: impl PgExecutor<'_>, id: i64) -> ApiResult<UserRead> {
    Ok(sqlx::query_as!(
        UserRead,
        r#"SELECT id, username, email AS "email!", name AS "name!", is_superuser, created_at, updated_at
           FROM users WHERE id = $1 AND deleted_at IS NULL"#,
        id,
    )
    .fetch_one(database)
    .await?)
}

/// The data that are checked before a user is changed.
pub async fn find_account(database: &Database, username: &str) -> ApiResult<Account> {
    Ok(sqlx::query_as!(
        Account,
        r#"SELECT id, username, password_hash AS "password_hash!" FROM users WHERE username = $1 AND deleted_at IS NULL"#,
        username,
    )
    .fetch_one(database)
    .await?)
}

/// The data that are checked when a user signs in with a username or an e-mail address.
pub async fn find_account_to_sign_in(
    database: &Database,
    username_or_email: &str,
) -> ApiResult<Option<Account>> {
    // A name contains no `@` and an address does, so neither can be mistaken for the other.
    Ok(sqlx::query_as!(
        Account,
        r#"SELECT id, username, password_hash AS "password_hash!" FROM users
           WHERE (username = $1 OR email = $1) AND deleted_at IS NULL"#,
        username_or_email,
    )
    .fetch_optional(database)
    .await?)
}

/// All users, newest first.
pub async fn list(database: &Database, query: PageQuery) -> ApiResult<Page<UserRead>> {
    let users = sqlx::query_as!(
        UserRead,
        r#"SELECT id, username, email AS "email!", name AS "name!", is_superuser, created_at, updated_at FROM users
           WHERE deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET $2"#,
        query.items_per_page,
        query.offset(),
    );
    let total =
        sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM users WHERE deleted_at IS NULL"#);
    database.page(query, users, total).await
}

/// Replaces a hash by another one of the same password, unless the password has been changed since.
pub async fn renew_password_hash(
    database: &Database,
    id: i64,
    (known, renewed): (&str, &str),
) -> ApiResult<()> {
    sqlx::query!(
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2 AND deleted_at IS NULL",
        id,
        known,
        renewed,
    )
    .execute(database)
    .await?;
    Ok(())
}

/// Changes the given fields. With `known_password_hash`, only while that is still the user's password.
pub async fn update(
    transaction: &mut Transaction,
    id: i64,
    change: &Change<'_>,
    known_password_hash: Option<&str>,
) -> ApiResult<Option<UserRead>> {
    Ok(sqlx::query_as!(
        UserRead,
        r#"UPDATE users
           SET name = coalesce($2, name), email = coalesce($3, email),
               password_hash = coalesce($4, password_hash), is_superuser = coalesce($6, is_superuser), updated_at = now()
           WHERE id = $1 AND deleted_at IS NULL AND password_hash = coalesce($5, password_hash)
           RETURNING id, username, email AS "email!", name AS "name!", is_superuser, created_at, updated_at"#,
        id,
        change.name,
        change.email,
        change.password_hash,
        known_password_hash,
        change.is_superuser,
    )
    .fetch_optional(transaction)
    .await?)
}

/// Locks a user that will be deleted or lose the role of a superuser, and all superusers if the user is one: their number stays the same
/// until the transaction ends. Returns whether the user is the last superuser.
pub async fn lock_with_superusers(transaction: &mut Transaction, id: i64) -> ApiResult<bool> {
    // One statement in the order of ids, so that two deletions never wait for each other.
    let locked = sqlx::query!(
        "SELECT id, is_superuser FROM users
         WHERE deleted_at IS NULL
           AND (id = $1 OR is_superuser AND (SELECT is_superuser FROM users WHERE id = $1))
         ORDER BY id FOR UPDATE",
        id
    )
    .fetch_all(transaction)
    .await?;
    let user = locked.iter().find(|user| user.id == id);
    let is_superuser = user.ok_or(ApiError::NotFound)?.is_superuser;
    let has_other = locked.iter().any(|user| user.is_superuser && user.id != id);
    Ok(is_superuser && !has_other)
}

/// Deletes a user; the row stays.
pub async fn delete(transaction: &mut Transaction, id: i64) -> ApiResult<()> {
    sqlx::query_scalar!(
        "UPDATE users SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING id",
        id
    )
    .fetch_one(transaction)
    .await?;
    Ok(())
}

/// Erases accounts that were deleted more than so many days ago, the first deleted one first and at most `limit`: e-mail
/// address, name and password hash go, and the username stays taken.
pub async fn erase_deleted(
    transaction: &mut Transaction,
    days: i32,
    limit: i64,
) -> Result<Vec<ErasedAccount>, sqlx::Error> {
    sqlx::query_as!(
        ErasedAccount,
        "UPDATE users SET email = NULL, name = NULL, password_hash = NULL
         WHERE id = ANY(ARRAY(
             SELECT id FROM users
             WHERE deleted_at < now() - make_interval(days => $1) AND email IS NOT NULL
             ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED
         ))
         RETURNING id, username",
        days,
        limit,
    )
    .fetch_all(transaction)
    .await
}
