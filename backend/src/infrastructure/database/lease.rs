//! A connection that is borrowed from the pool, and its return.
//!
//! Come here to change which connections return to the pool and which are closed. The pool of sqlx pings a returned
//! connection without a deadline, so one dead connection would take a place of the pool for ever. That is prevented
//! here.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{Executor, PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::errors::{ConnectionState, state_after};
use super::pool::Shared;
use super::suspicion::PING;

/// A borrowed connection. If it is dropped while an answer is outstanding, it stays borrowed until the
/// answer has come, at most until the deadline: the server is still working for it.
#[derive(Debug)]
pub(super) struct Lease {
    connection: Option<PoolConnection<Postgres>>,
    shared: Arc<Shared>,
    /// The end of the wait for the answer that is outstanding.
    deadline: Instant,
    /// Whether an answer is outstanding.
    is_busy: bool,
    /// Whether the connection must not be used again.
    is_over: bool,
    /// Whether a transaction has been begun and not ended.
    is_in_transaction: bool,
    /// The place of the connection among those of the pool. It is dropped when the connection has returned or is closed.
    place: Option<OwnedSemaphorePermit>,
    /// The permit of a scan. It is dropped when the connection has returned.
    turn: Option<Arc<OwnedSemaphorePermit>>,
}

impl Lease {
    pub(super) fn new(
        connection: PoolConnection<Postgres>,
        shared: Arc<Shared>,
        place: OwnedSemaphorePermit,
        turn: Option<Arc<OwnedSemaphorePermit>>,
    ) -> Self {
        Self {
            connection: Some(connection),
            shared,
            deadline: Instant::now(),
            is_busy: false,
            is_over: false,
            is_in_transaction: false,
            place: Some(place),
            turn,
        }
    }

    /// The connection, for one statement that ends with [`Self::finished`].
    ///
    /// # Errors
    /// An earlier statement has not been answered, or the connection has died.
    pub(super) fn begin_use(
        &mut self,
        deadline: Instant,
    ) -> Result<&mut PgConnection, sqlx::Error> {
        let is_usable = !self.is_busy && !self.is_over;
        match &mut self.connection {
            Some(connection) if is_usable => {
                self.is_busy = true;
                self.deadline = deadline;
                Ok(connection)
            }
            _ => Err(sqlx::Error::WorkerCrashed),
        }
    }

    /// Records that the statement has been answered, and its result.
    pub(super) fn finished<T>(&mut self, outcome: &Result<T, sqlx::Error>) {
        self.is_busy = false;
        let Err(error) = outcome else { return };
        match state_after(error) {
            ConnectionState::Usable => {}
            ConnectionState::Outdated => self.is_over = true,
            ConnectionState::Dead => {
                self.is_over = true;
                self.shared.suspicion.ping_idle();
            }
            ConnectionState::ReadOnly => {
                self.is_over = true;
                self.shared.suspicion.close_idle();
            }
        }
    }

    /// Records that a transaction begins or has ended.
    pub(super) fn set_in_transaction(&mut self, is_in_transaction: bool) {
        self.is_in_transaction = is_in_transaction;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let now = Instant::now();
        let is_lost = self.is_busy && (now >= self.deadline || self.shared.outage.is_on());
        let runtime = Handle::try_current();
        let (false, false, Ok(runtime)) = (self.is_over, is_lost, runtime) else {
            // The socket is closed at once. The pool may open another connection.
            drop(connection.detach());
            return;
        };
        let deadline = if self.is_busy { self.deadline } else { now } + PING;
        let is_in_transaction = self.is_in_transaction;
        let (place, turn) = (self.place.take(), self.turn.take());
        runtime.spawn(async move {
            let is_clean = !is_in_transaction
                || matches!(
                    timeout_at(deadline, connection.execute("ROLLBACK")).await,
                    Ok(Ok(_))
                );
            if is_clean {
                // A connection that is not back in time is closed.
                let _ = timeout_at(deadline, connection.return_to_pool()).await;
            } else {
                drop(connection.detach());
            }
            drop((place, turn));
        });
    }
}
