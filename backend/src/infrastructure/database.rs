//! The connection to PostgreSQL, and what its errors mean to a client.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::http::{ApiError, FieldError};
use super::settings::DatabaseSettings;

/// The embedded migrations.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// What a violated constraint means: the one place that knows their names.
const CONSTRAINTS: &[(&str, Meaning)] = &[
    (
        "users_username_unique",
        Meaning::Conflict("this username is taken"),
    ),
    (
        "users_email_unique",
        Meaning::Conflict("this e-mail address is taken"),
    ),
    (
        "users_username_valid",
        Meaning::Field(
            "username",
            "must be 2 to 32 of a-z, 0-9 and `_`, and not `me`",
        ),
    ),
    (
        "users_email_lower_case",
        Meaning::Field(
            "email",
            "must be a lower-case address of at most 254 characters",
        ),
    ),
    (
        "users_name_length",
        Meaning::Field("name", "must have 1 to 80 characters"),
    ),
    (
        "widgets_name_length",
        Meaning::Field("name", "must have 1 to 100 characters"),
    ),
    (
        "widgets_description_length",
        Meaning::Field("description", "must have at most 2000 characters"),
    ),
];

enum Meaning {
    Conflict(&'static str),
    Field(&'static str, &'static str),
}

/// A pool that connects when it is first used.
///
/// # Errors
/// Where `DATABASE_URL` is no address.
pub fn pool(settings: &DatabaseSettings) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = settings.database_url.expose_secret().parse()?;
    Ok(PgPoolOptions::new()
        .max_connections(settings.database_pool_size)
        .acquire_timeout(Duration::from_secs(settings.database_connect_timeout))
        // A ping before every use would cost a round trip. A connection that went stale shows as an
        // error of the query, which is answered with 503 like any other absence of the database.
        .test_before_acquire(false)
        .connect_lazy_with(options))
}

/// Whether the database answers.
pub async fn is_up(pool: &PgPool) -> bool {
    // Two attempts: the first may meet a connection that a restart has made stale.
    for _ in 0..2 {
        let query = sqlx::query("SELECT 1").execute(pool);
        if matches!(
            tokio::time::timeout(Duration::from_secs(2), query).await,
            Ok(Ok(_))
        ) {
            return true;
        }
    }
    false
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::RowNotFound => Self::NotFound,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            // What a connection says that is closed half-way through its greeting.
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => {
                tracing::warn!("database not available: {error}");
                Self::Unavailable
            }
            sqlx::Error::Database(refusal) => {
                let code = refusal.code();
                let code = code.as_deref().unwrap_or_default();
                let meaning = refusal.constraint().and_then(|name| {
                    CONSTRAINTS
                        .iter()
                        .find(|(constraint, _)| *constraint == name)
                });
                match (meaning, code) {
                    (Some((_, Meaning::Conflict(detail))), _) => {
                        Self::Conflict((*detail).to_owned())
                    }
                    (Some((_, Meaning::Field(field, message))), _) => {
                        Self::Unprocessable(vec![FieldError::new(*field, *message)])
                    }
                    // PostgreSQL's text holds no NUL.
                    (None, "22021") => Self::Unprocessable(vec![FieldError::new(
                        "",
                        "text must not contain the NUL character",
                    )]),
                    // Connection exceptions, shutdown, starting up, too many connections.
                    (None, code)
                        if code.starts_with("08") || code.starts_with("57P") || code == "53300" =>
                    {
                        tracing::warn!("database not available: {error}");
                        Self::Unavailable
                    }
                    _ => Self::internal(&error),
                }
            }
            _ => Self::internal(&error),
        }
    }
}
