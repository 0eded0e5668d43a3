//! The wait for a connection of the pool.
//!
//! sqlx's own wait is a future of some 14 kB, since it can open a connection, with a timer. Under load most requests wait for a
//! connection that another request returns, so they wait for a *place* instead: there is one for each connection that the pool may
//! have, and it is free when a connection has returned. Come here to change who waits for what. What happens to a connection
//! afterwards is in `lease`.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{Error, Postgres};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::lease::Lease;
use super::pool::Shared;

impl Shared {
    /// A connection of the pool.
    ///
    /// # Errors
    /// No connection is free within `DATABASE_CONNECT_TIMEOUT`, or none can be made.
    pub(super) async fn lease(
        self: &Arc<Self>,
        turn: Option<Arc<OwnedSemaphorePermit>>,
    ) -> Result<Lease, Error> {
        let (connection, place) = self.metrics.measure(self.connection()).await?;
        Ok(Lease::new(connection, Arc::clone(self), place, turn))
    }

    async fn connection(&self) -> Result<(PoolConnection<Postgres>, OwnedSemaphorePermit), Error> {
        // In a box of its own the large future is copied once, and not with each future that contains it.
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok((Box::pin(self.pool.acquire()).await?, place));
        }
        let began = Instant::now();
        let until = began + self.connect_timeout;
        let place = match timeout_at(until, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(Error::PoolClosed),
            Err(_) => return Err(Error::PoolTimedOut),
        };
        // All connections were in use when the wait began, so one that is idle now has hardly been idle for longer.
        if self.suspicion.trusts(began.elapsed())
            && let Some(connection) = self.pool.try_acquire()
        {
            return Ok((connection, place));
        }
        match timeout_at(until, Box::pin(self.pool.acquire())).await {
            Ok(connection) => Ok((connection?, place)),
            Err(_) => Err(Error::PoolTimedOut),
        }
    }
}
