//! The end of the process: running tasks are finished, pending deletions are delivered.
//!
//! Come here to see the work of a process after SIGTERM. A program that uses the cache without serving
//! requests, such as a job, ends with [`Cache::leave`]. Without it, the next process that starts trusts
//! no earlier entry.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};
use tokio_util::task::TaskTracker;

use super::cache::Cache;

/// The pause between two checks of the running tasks.
const PAUSE: Duration = Duration::from_millis(10);

impl Cache {
    /// The running tasks, for which [`finish_tasks`](Self::finish_tasks) waits. A write is one of them from its first step on:
    /// the look-up of its caller comes before its policy.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.shared.tasks
    }

    /// Waits until no write, refresh or deletion is under way. Returns at `until` at the latest. Afterwards writes are
    /// refused with 503. The number of unfinished tasks is logged. Call this before the workers end, since their tasks
    /// end with them.
    pub async fn finish_tasks(&self, until: Instant) {
        let tasks = &self.shared.tasks;
        // Writes are refused only from then on, because open connections may still bring requests.
        while !tasks.is_empty() && Instant::now() < until {
            sleep(PAUSE).await;
        }
        tasks.close();
        if timeout_at(until.into(), tasks.wait()).await.is_err() {
            tracing::warn!(
                tasks = tasks.len(),
                "writes, refreshes or cache deletions did not finish in time and are cut off"
            );
        }
    }

    /// Delivers pending deletions and leaves the namespace, so that the next process begins with hits. Returns at
    /// `until` at the latest. The log names deletions that could not be delivered. Do not use this cache afterwards.
    pub async fn leave(&self, until: Instant) {
        let leaving = self
            .shared
            .backends
            .values()
            .map(|registered| registered.servers.stop(until));
        futures_util::future::join_all(leaving).await;
    }
}
