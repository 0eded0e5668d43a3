//! The use of the pool, and the waits for a connection, as metrics.
//!
//! Come here to add a measurement of the database. Names follow the conventions of OpenTelemetry for pools of connections.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use sqlx::{Error, PgPool};

use super::pool::Database;

const COUNT: &str = "db_client_connection_count";
const MOST: &str = "db_client_connection_max";
const PENDING: &str = "db_client_connection_pending_requests";
const WAIT: &str = "db_client_connection_wait_time_seconds";
const TIMEOUTS: &str = "db_client_connection_timeouts_total";

/// The waits for a connection of one pool.
#[derive(Debug)]
pub(super) struct PoolMetrics {
    pool: &'static str,
    pending: AtomicU32,
    wait: Histogram,
    timeouts: Counter,
}

impl PoolMetrics {
    /// The waits of the pool with this name.
    pub(super) fn new(pool: &'static str) -> Self {
        Self {
            pool,
            pending: AtomicU32::new(0),
            wait: histogram!(WAIT, "pool" => pool),
            timeouts: counter!(TIMEOUTS, "pool" => pool),
        }
    }

    /// Measures a wait for a connection. One that is given up counts too.
    pub(super) async fn measure<T>(
        &self,
        wait: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.pending.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting {
            metrics: self,
            began: Instant::now(),
        };
        let result = wait.await;
        if matches!(result, Err(Error::PoolTimedOut)) {
            self.timeouts.increment(1);
        }
        result
    }

    pub(super) fn is_anyone_waiting(&self) -> bool {
        self.pending.load(Ordering::Relaxed) > 0
    }

    fn record_gauges(&self, pool: &PgPool) {
        let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        let used = pool.size().saturating_sub(idle);
        let most = pool.options().get_max_connections();
        gauge!(COUNT, "pool" => self.pool, "state" => "idle").set(idle);
        gauge!(COUNT, "pool" => self.pool, "state" => "used").set(used);
        gauge!(MOST, "pool" => self.pool).set(most);
        gauge!(PENDING, "pool" => self.pool).set(self.pending.load(Ordering::Relaxed));
    }
}

/// A wait, which is recorded when it ends.
struct Waiting<'a> {
    metrics: &'a PoolMetrics,
    began: Instant,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.metrics.pending.fetch_sub(1, Ordering::Relaxed);
        self.metrics.wait.record(self.began.elapsed());
    }
}

impl Database {
    /// Describes the metrics of the database to the recorder of the crate `metrics`.
    pub fn describe_metrics() {
        describe_gauge!(COUNT, "Connections of the pool, by state: idle or used");
        describe_gauge!(MOST, "The most connections that the pool may have");
        describe_gauge!(PENDING, "Requests that wait for a connection now");
        describe_histogram!(
            WAIT,
            Unit::Seconds,
            "Time of a wait for a connection, the making of a new one included; given up ones count too"
        );
        describe_counter!(
            TIMEOUTS,
            "Waits that ended without a connection after DATABASE_CONNECT_TIMEOUT"
        );
    }

    /// Sets the gauges to the present states.
    pub fn record_gauges(&self) {
        self.shared.metrics.record_gauges(&self.shared.pool);
    }
}
