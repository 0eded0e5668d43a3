//! Connections: their options, and the check for a pooler that the settings do not name.
//!
//! Come here to change an option of every connection. Each connection of the program is made with a [`Connector`]. No
//! statement of a module runs here.

use std::fmt;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor, PgConnection, Row};
use tokio::time::{Instant, sleep, timeout_at};

use super::errors::timed_out;
use crate::settings::DatabaseSettings;

/// The parameter that holds the marker of this process. `PostgreSQL` accepts any name with a dot.
const MARKER: &str = "backend.instance";
/// The wait between two attempts while the server starts.
const RETRY: Duration = Duration::from_millis(100);

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    /// The options of every connection.
    pub(super) options: PgConnectOptions,
    /// The marker that each direct connection sends and reads back. `None` behind a pooler.
    marker: Option<String>,
}

impl fmt::Debug for Connector {
    /// Shows no field, because the options contain the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector")
    }
}

/// The error of a server that does not return the marker of the connection.
#[derive(Debug, thiserror::Error)]
#[error("DATABASE_URL leads to PgBouncer or another pooler")]
struct UnexpectedPooler;

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commits {
    /// What the server's configuration says, which is the disk unless somebody changed it.
    Durable,
    /// Nothing: a crash of the server may undo the last of them (`synchronous_commit = off`).
    Asynchronous,
}

impl Connector {
    /// Connections for requests, with all deadlines.
    ///
    /// # Errors
    /// `DATABASE_URL` cannot be parsed.
    pub(super) fn for_requests(
        settings: &DatabaseSettings,
        commits: Commits,
    ) -> Result<Self, sqlx::Error> {
        let seconds = |seconds: u64| format!("{seconds}s");
        let asynchronous =
            (commits == Commits::Asynchronous).then(|| ("synchronous_commit", "off".to_owned()));
        Self::with(
            settings,
            [
                (
                    "statement_timeout",
                    seconds(settings.database_statement_timeout),
                ),
                ("lock_timeout", seconds(settings.database_lock_timeout)),
                (
                    "idle_in_transaction_session_timeout",
                    seconds(settings.database_idle_transaction_timeout),
                ),
            ]
            .into_iter()
            .chain(asynchronous),
        )
    }

    /// Connections for migrations, which may take any time.
    ///
    /// # Errors
    /// `DATABASE_URL` cannot be parsed.
    pub(super) fn for_migrations(settings: &DatabaseSettings) -> Result<Self, sqlx::Error> {
        let unlimited = || "0".to_owned();
        Self::with(
            settings,
            [
                ("statement_timeout", unlimited()),
                ("lock_timeout", unlimited()),
                ("idle_in_transaction_session_timeout", unlimited()),
            ],
        )
    }

    fn with(
        settings: &DatabaseSettings,
        parameters: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, sqlx::Error> {
        let options: PgConnectOptions = settings.database_url.expose_secret().parse()?;
        if settings.database_pgbouncer {
            // PgBouncer refuses parameters that it does not know. A transaction sets them for itself.
            let options = options.extra_float_digits(None);
            return Ok(Self {
                options,
                marker: None,
            });
        }
        let marker = format!("{:016x}", rand::random::<u64>());
        // The server checks for itself whether its client is still connected.
        let options = options
            .options(parameters)
            .options([("tcp_keepalives_idle", "30"), (MARKER, &marker)]);
        Ok(Self {
            options,
            marker: Some(marker),
        })
    }

    /// A connection, checked.
    ///
    /// # Errors
    /// The server cannot be reached or refuses, or there is a pooler that the settings do not name.
    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.options.connect().await.map_err(named)?;
        self.check(&mut connection).await?;
        Ok(connection)
    }

    /// A connection to a server that may still be starting.
    ///
    /// # Errors
    /// The errors of [`Self::connect`], or no connection within `limit`.
    pub(super) async fn connect_within(
        &self,
        limit: Duration,
    ) -> Result<PgConnection, sqlx::Error> {
        let deadline = Instant::now() + limit;
        let mut last = None;
        loop {
            match timeout_at(deadline, self.connect()).await {
                Ok(Err(error)) if is_starting(&error) => last = Some(error),
                Ok(outcome) => return outcome,
                Err(_) => return Err(last.unwrap_or_else(|| timed_out(limit))),
            }
            if timeout_at(deadline, sleep(RETRY)).await.is_err() {
                return Err(last.unwrap_or_else(|| timed_out(limit)));
            }
        }
    }

    /// Refuses a connection to a pooler that the settings do not name. A pooler may change the server connection
    /// between two transactions, and with it the meaning of a prepared statement.
    ///
    /// # Errors
    /// A pooler, or no answer.
    pub(super) async fn check(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let Some(marker) = &self.marker else {
            return Ok(());
        };
        // A simple query makes no prepared statement.
        let row = connection
            .fetch_one("SELECT current_setting('backend.instance', true)")
            .await?;
        if row.try_get::<Option<String>, _>(0)?.as_ref() == Some(marker) {
            Ok(())
        } else {
            Err(sqlx::Error::Configuration(UnexpectedPooler.into()))
        }
    }
}

/// The same error, or [`UnexpectedPooler`] for a pooler that refuses a parameter.
fn named(error: sqlx::Error) -> sqlx::Error {
    match &error {
        sqlx::Error::Database(refusal)
            if refusal.code().as_deref() == Some("08P01")
                && refusal.message().contains("startup parameter") =>
        {
            sqlx::Error::Configuration(UnexpectedPooler.into())
        }
        _ => error,
    }
}

/// Whether the server is starting or full, so that it may accept the connection a moment later.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(refusal) => {
            matches!(refusal.code().as_deref(), Some("57P03" | "53300"))
        }
        _ => false,
    }
}

/// Whether the error is an [`UnexpectedPooler`].
pub(super) fn is_unexpected_pooler(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Configuration(cause) if cause.is::<UnexpectedPooler>())
}

/// The cure of an error that stops the start, as the end of a sentence.
#[must_use]
pub fn advice(error: &sqlx::Error) -> &'static str {
    if is_unexpected_pooler(error) {
        return "set DATABASE_PGBOUNCER=true, or let DATABASE_URL lead to PostgreSQL itself";
    }
    let code = match error {
        sqlx::Error::Database(refusal) => refusal.code(),
        _ => None,
    };
    match code.as_deref() {
        Some("28P01" | "28000") => "are user and password in DATABASE_URL right?",
        Some("3D000") => "create it, or name another in DATABASE_URL",
        Some("42501") => "the role of DATABASE_URL lacks a privilege: see docs/production.md",
        Some("53300") => "PostgreSQL has no free connection: see max_connections",
        _ => "is PostgreSQL running, and is DATABASE_URL right?",
    }
}
