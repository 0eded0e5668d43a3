//! Upkeep: what the tables need in the background, and no request asks for.
//!
//! Come here to add a task: one bounded batch in the transaction of [`Work::begin`]. Statements are where their tables are,
//! not here.
//!
//! Every instance runs this, and one at a time works: a batch is a transaction that holds an advisory lock. The lock ends
//! with the transaction, so it is never held by an instance that is gone, and it works behind `PgBouncer`, where a lock of
//! a session would stay with a connection that serves others.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::infrastructure::auth::remove_expired;
use crate::infrastructure::database::{Database, Transaction};
use crate::interfaces::Draining;

/// The key of the advisory lock in the service's database.
pub const LOCK: i64 = 0x7570_6b65_6570;
/// The longest interval between two rounds. A random part of up to a fifth is left out, so that instances do not come at
/// the same moment.
const INTERVAL: Duration = Duration::from_mins(10);
/// The pause between two batches of a round: requests come first.
const PAUSE: Duration = Duration::from_millis(100);
/// The most tokens of one batch.
const TOKENS: i64 = 1000;
/// The longest wait for the batch under way at the end of the process. A batch that takes longer is rolled back.
const STOP: Duration = Duration::from_secs(2);

/// The upkeep of a process, which ends with this value.
#[derive(Debug)]
pub(super) struct Upkeep {
    task: JoinHandle<()>,
    /// Its end wakes the task.
    awake: Option<oneshot::Sender<()>>,
}

impl Upkeep {
    /// Starts the first round now. No batch begins after the process has begun to end.
    pub(super) fn start(database: &Database, draining: &Draining) -> Self {
        let (awake, stopped) = oneshot::channel();
        let work = Work {
            database: database.clone(),
        };
        Self {
            task: tokio::spawn(work.run(draining.clone(), stopped)),
            awake: Some(awake),
        }
    }

    /// Lets the batch under way end, for at most two seconds.
    pub(super) async fn stop(mut self) {
        self.awake = None;
        let _ = timeout(STOP, &mut self.task).await;
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the tasks need.
struct Work {
    database: Database,
}

impl Work {
    async fn run(self, draining: Draining, mut stopped: oneshot::Receiver<()>) {
        while !draining.has_begun() {
            let pause = if self.batches().await {
                PAUSE
            } else {
                INTERVAL.mul_f64(1.0 - rand::random::<f64>() / 5.0)
            };
            tokio::select! {
                _ = &mut stopped => return,
                () = sleep(pause) => {}
            }
        }
    }

    /// Does one batch of each task. Returns whether there may be more.
    async fn batches(&self) -> bool {
        may_be_more(
            "expired tokens were not removed",
            self.remove_tokens().await,
        )
    }

    /// Removes tokens that have expired. They are refused anyway.
    async fn remove_tokens(&self) -> Result<bool, sqlx::Error> {
        let Some(mut transaction) = self.begin().await? else {
            return Ok(false);
        };
        let removed = remove_expired(&mut transaction, TOKENS).await?;
        transaction.commit().await?;
        if removed > 0 {
            tracing::info!(removed, "removed expired tokens");
        }
        Ok(i64::try_from(removed).is_ok_and(|removed| removed >= TOKENS))
    }

    /// A transaction that holds the lock; `None` while another instance works.
    async fn begin(&self) -> Result<Option<Transaction>, sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        let is_held =
            sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock($1) AS "held!""#, LOCK)
                .fetch_one(&mut transaction)
                .await?;
        if !is_held {
            tracing::debug!("another instance does the upkeep");
        }
        Ok(is_held.then_some(transaction))
    }
}

/// Whether a task may have more to do. After an error it has not: the next round tries again.
fn may_be_more(failed: &str, outcome: Result<bool, sqlx::Error>) -> bool {
    outcome.unwrap_or_else(|error| {
        tracing::warn!("{failed}: {error}");
        false
    })
}
