//! Access tokens: opaque, 256 random bits, stored only as a hash, valid for 30 days.
//!
//! Come here to change the form of a token, its validity, or its revocation. No request is authenticated here: see
//! `caller`.

use std::fmt;

use actix_web::http::header;
use actix_web::{HttpRequest, http::header::HeaderMap};
use chrono::{DateTime, Duration, SubsecRound, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgExecutor;

use super::origin::Origin;
use crate::database::Database;
use crate::http::ApiError;

const LIFETIME_DAYS: i64 = 30;

/// The hash of a token. Only the hash is stored. The time of a look-up by hash gives no information about other tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessToken([u8; 32]);

/// The hash is not shown. It identifies the row of a token, so it must not be logged.
impl fmt::Debug for AccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccessToken(***)")
    }
}

/// A new token, which is shown once. It has no `Debug`, so that it cannot reach a log.
pub struct IssuedToken {
    /// The token itself: 64 hexadecimal digits.
    pub token: String,
    /// The end of its validity.
    pub expires_at: DateTime<Utc>,
}

impl AccessToken {
    fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The token in the request's `Authorization` header, if it has a bearer token.
    #[must_use]
    pub fn from_request(request: &HttpRequest) -> Option<Self> {
        Self::from_headers(request.headers())
    }

    fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let (scheme, token) = headers
            .get(header::AUTHORIZATION)?
            .to_str()
            .ok()?
            .split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| Self::of(token.trim()))
    }

    /// The hash.
    #[must_use]
    pub fn hash(&self) -> &[u8] {
        &self.0
    }
}

/// Issues a token, and removes the user's expired ones. `origin` is what its session shows.
///
/// `password_hash` is the hash that the login was checked with. If the password has been changed or the
/// user deleted since, even at the same moment, no token is issued.
pub async fn issue(
    database: &Database,
    user_id: i64,
    password_hash: &str,
    origin: &Origin,
) -> Result<Option<IssuedToken>, ApiError> {
    let token = format!(
        "{:032x}{:032x}",
        rand::random::<u128>(),
        rand::random::<u128>()
    );
    let expires_at = (Utc::now() + Duration::days(LIFETIME_DAYS)).trunc_subsecs(6);
    let hash = AccessToken::of(&token);
    let issued = sqlx::query!(
        "WITH ended AS (DELETE FROM access_tokens WHERE user_id = $2 AND expires_at <= now()),
              holder AS (
                  SELECT id FROM users WHERE id = $2 AND password_hash = $4 AND deleted_at IS NULL FOR SHARE
              )
         INSERT INTO access_tokens (token_hash, user_id, expires_at, client, address)
         SELECT $1, id, $3, $5, $6 FROM holder",
        hash.hash(),
        user_id,
        expires_at,
        password_hash,
        origin.client,
        origin.address.to_string(),
    )
    .execute(database)
    .await?
    .rows_affected();
    Ok((issued == 1).then_some(IssuedToken { token, expires_at }))
}

/// The id of the user whose token it is, if it is valid. This does not authenticate a request: see
/// [`Caller`](super::Caller).
pub async fn find_owner(database: &Database, token: &AccessToken) -> Result<Option<i64>, ApiError> {
    let owner = sqlx::query_scalar!(
        "SELECT user_id FROM access_tokens WHERE token_hash = $1 AND expires_at > now()",
        token.hash()
    )
    .fetch_optional(database)
    .await?;
    Ok(owner)
}

/// Revokes one token. Returns how many there were: 0 or 1.
pub async fn revoke(database: impl PgExecutor<'_>, token: &AccessToken) -> Result<u64, ApiError> {
    let revoked = sqlx::query!(
        "DELETE FROM access_tokens WHERE token_hash = $1",
        token.hash()
    )
    .execute(database)
    .await?;
    Ok(revoked.rows_affected())
}

/// Revokes all tokens of a user. Returns their number.
pub async fn revoke_all(database: impl PgExecutor<'_>, user_id: i64) -> Result<u64, ApiError> {
    let revoked = sqlx::query!("DELETE FROM access_tokens WHERE user_id = $1", user_id)
        .execute(database)
        .await?;
    Ok(revoked.rows_affected())
}

/// Revokes all tokens of a user except this one. Returns their number.
pub async fn revoke_others(
    database: impl PgExecutor<'_>,
    user_id: i64,
    kept: &AccessToken,
) -> Result<u64, ApiError> {
    let revoked = sqlx::query!(
        "DELETE FROM access_tokens WHERE user_id = $1 AND token_hash <> $2",
        user_id,
        kept.hash()
    )
    .execute(database)
    .await?;
    Ok(revoked.rows_affected())
}

/// Removes expired tokens, the oldest first and at most `limit`. Returns their number.
///
/// Those that another transaction is removing are left out, so that neither waits for the other.
pub async fn remove_expired(database: impl PgExecutor<'_>, limit: i64) -> Result<u64, sqlx::Error> {
    let removed = sqlx::query!(
        "DELETE FROM access_tokens WHERE token_hash = ANY(ARRAY(
             SELECT token_hash FROM access_tokens
             WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
         ))",
        limit
    )
    .execute(database)
    .await?;
    Ok(removed.rows_affected())
}
