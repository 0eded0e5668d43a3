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

use super::Parts;
use crate::infrastructure::auth::remove_expired;
use crate::infrastructure::database::{Database, Transaction};
use crate::infrastructure::security_log::{SecurityContext, SecurityEvent};
use crate::infrastructure::settings::AccountSettings;
use crate::interfaces::Draining;
use crate::modules::users;

/// The key of the advisory lock in the service's database.
pub const LOCK: i64 = 0x7570_6b65_6570;
/// The longest interval between two rounds. A random part of up to a fifth is left out, so that instances do not come at
/// the same moment.
const INTERVAL: Duration = Duration::from_mins(10);
/// The pause between two batches of a round: requests come first.
const PAUSE: Duration = Duration::from_millis(100);
/// The most tokens of one batch.
const TOKENS: i64 = 1000;
/// The most accounts of one batch. Each has a line in the security log, for which there is room before the batch begins.
const ACCOUNTS: u32 = 50;
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
    pub(super) fn start(parts: &Parts, accounts: &AccountSettings, draining: &Draining) -> Self {
        let (awake, stopped) = oneshot::channel();
        let work = Work {
            database: parts.database.clone(),
            security: SecurityContext::of_background(parts.security_log.clone()),
            erasure_days: accounts.account_erasure_days,
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
    security: SecurityContext,
    /// The days from the deletion of an account to its erasure.
    erasure_days: i32,
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
        let tokens = may_be_more(
            "expired tokens were not removed",
            self.remove_tokens().await,
        );
        let accounts = may_be_more(
            "deleted accounts were not erased",
            self.erase_accounts().await,
        );
        tokens || accounts
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

    /// Erases accounts that were deleted long ago.
    async fn erase_accounts(&self) -> Result<bool, sqlx::Error> {
        // The log has an error where it has no room.
        let Ok(mut room) = self.security.reserve(ACCOUNTS).await else {
            return Ok(false);
        };
        let Some(mut transaction) = self.begin().await? else {
            return Ok(false);
        };
        let limit = i64::from(ACCOUNTS);
        let erased = users::erase_deleted(&mut transaction, self.erasure_days, limit).await?;
        transaction.commit().await?;
        for account in &erased {
            room.record(SecurityEvent::AccountErased, account.subject(), None);
        }
        Ok(i64::try_from(erased.len()).is_ok_and(|erased| erased >= limit))
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
