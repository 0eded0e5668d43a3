//! The end of the process: what is under way is finished, what is pending is delivered.
//!
//! Come here to see what a process still does after SIGTERM. A program that uses the cache without serving
//! requests, such as a job, ends with [`Cache::leave`]; if it does not, the next process that starts
//! trusts nothing stored so far.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::cache::Cache;

/// Between two looks at the tasks under way.
const PAUSE: Duration = Duration::from_millis(10);

impl Cache {
    /// Waits until no write, refresh or deletion is under way, until a time at most. From then on writes are
    /// refused with 503. The log says how many were not finished. To be called before the workers end, whose
    /// tasks end with them.
    pub async fn finish_tasks(&self, until: Instant) {
        let tasks = &self.shared.tasks;
        // Not refused from the beginning: connections that are open may still bring requests.
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

    /// Delivers pending deletions and leaves the namespace, until a time at most, so that the next process
    /// begins with hits. The log names deletions that could not be delivered. Afterwards this cache is
    /// not to be used.
    pub async fn leave(&self, until: Instant) {
        let leaving = self
            .shared
            .backends
            .values()
            .map(|registered| registered.supervisor.stop(&registered.backend, until));
        futures_util::future::join_all(leaving).await;
    }
}
