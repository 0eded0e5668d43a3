//! One pass of each worker through its event loop. The requests that had arrived before it are under way after it.
//!
//! Come here for a request that had arrived before SIGTERM and was refused. Requests under way are waited for in
//! `startup`, not here.

use std::time::{Duration, Instant};

use actix_web::rt;
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The shortest wait in an event loop. Before it ends, the loop has looked at its sockets once.
const TURN: Duration = Duration::from_millis(1);

/// The workers, each of which takes one turn when it is asked to. A clone has the same workers.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    asked: CancellationToken,
    workers: TaskTracker,
}

impl Turns {
    /// Registers the worker of this thread.
    ///
    /// # Panics
    /// Outside of an actix runtime.
    pub(super) fn register(&self) {
        let asked = self.asked.clone();
        rt::spawn(self.workers.track_future(async move {
            asked.cancelled().await;
            sleep(TURN).await;
        }));
    }

    /// Waits until each worker has taken its turn. Returns at `until` at the latest.
    pub async fn take(&self, until: Instant) {
        self.asked.cancel();
        self.workers.close();
        // A worker that is busy until then has more to do than to begin requests.
        let _ = timeout_at(until.into(), self.workers.wait()).await;
    }
}
