//! The probe: one connection of its own that asks whether `PostgreSQL` can serve this program.
//!
//! Come here to change when the service is ready. The readiness check uses the probe, and so does the pool when an
//! answer takes too long. The probe has a connection outside the pool, so that a pool in full use is not mistaken for
//! an outage.

use std::time::Duration;

use sqlx::{Executor, PgConnection, Row};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::connecting::{Connector, advice};
use super::migrations::{APPLIED, Applied, Difference, compare, is_missing_table};

/// The reason that the database cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The database gives no answer in time.
    #[error("the database does not respond")]
    Silent,
    /// The database cannot be reached, or refuses the connection.
    #[error("{0}")]
    Unavailable(String),
    /// The database accepts no writes.
    #[error(
        "the database is read-only: a failover is under way, or DATABASE_URL leads to a replica"
    )]
    ReadOnly,
    /// The tables are not those of this program.
    #[error("{0}")]
    Tables(#[from] Difference),
}

/// Asks whether the database can serve.
#[derive(Debug)]
pub(super) struct Probe {
    connector: Connector,
    /// The deadline of a check.
    limit: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<PgConnection>,
    /// The beginning of the last check, and its result.
    last: Option<(Instant, Result<(), NotReady>)>,
}

impl Probe {
    pub(super) fn new(connector: Connector, limit: Duration) -> Self {
        Self {
            connector,
            limit,
            state: Mutex::default(),
        }
    }

    /// Whether the database can serve now.
    ///
    /// Any number of callers at a time cost two checks at most: one that is under way, and one that
    /// began after they asked.
    ///
    /// # Errors
    /// The reason why it cannot.
    pub(super) async fn check(&self) -> Result<(), NotReady> {
        let asked = Instant::now();
        timeout(self.limit, self.shared_check(asked))
            .await
            .unwrap_or(Err(NotReady::Silent))
    }

    async fn shared_check(&self, asked: Instant) -> Result<(), NotReady> {
        let mut state = self.state.lock().await;
        if let Some((began, verdict)) = &state.last
            && *began >= asked
        {
            return verdict.clone();
        }
        let began = Instant::now();
        // The connection is lost if this future is dropped: an answer may still be on its way.
        let connection = state.connection.take();
        let verdict = match self.ask(connection).await {
            Ok(connection) => {
                state.connection = Some(connection);
                Ok(())
            }
            Err(reason) => Err(reason),
        };
        let was = state.last.as_ref().map(|(_, verdict)| verdict);
        match &verdict {
            Err(reason) if was != Some(&verdict) => tracing::warn!("not ready: {reason}"),
            Ok(()) if was.is_some_and(Result::is_err) => {
                tracing::info!("the database is ready again");
            }
            _ => {}
        }
        state.last = Some((began, verdict.clone()));
        verdict
    }

    /// Asks over the present connection, and then over a new one, because the present one may have died unnoticed.
    async fn ask(&self, connection: Option<PgConnection>) -> Result<PgConnection, NotReady> {
        let old = self.limit / 4;
        if let Some(connection) = connection
            && let Ok(Ok(connection)) = timeout(old, question(connection)).await
        {
            return Ok(connection);
        }
        let new = async {
            let connection = self
                .connector
                .connect()
                .await
                .map_err(|error| unavailable(&error))?;
            question(connection).await
        };
        // Less time than is left, so that the result is recorded and logged before the deadline.
        let left = self.limit * 5 / 8;
        timeout(left, new).await.unwrap_or(Err(NotReady::Silent))
    }
}

/// Asks over a connection. Returns the connection if the database can serve.
async fn question(mut connection: PgConnection) -> Result<PgConnection, NotReady> {
    let rows = connection.fetch_all(APPLIED).await.map_err(|error| {
        if is_missing_table(&error) {
            Difference::Empty.into()
        } else {
            unavailable(&error)
        }
    })?;
    let mut applied = Vec::with_capacity(rows.len());
    for row in &rows {
        let is_read_only = row
            .try_get("is_read_only")
            .map_err(|error| unavailable(&error))?;
        if is_read_only {
            return Err(NotReady::ReadOnly);
        }
        applied.push(Applied::from_row(row).map_err(|error| unavailable(&error))?);
    }
    compare(&applied)?;
    Ok(connection)
}

fn unavailable(error: &sqlx::Error) -> NotReady {
    NotReady::Unavailable(format!(
        "the database is not available: {error}; {}",
        advice(error)
    ))
}
