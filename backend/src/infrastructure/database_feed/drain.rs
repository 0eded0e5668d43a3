//! The task that makes the passes. The protocol is described in `mod.rs`.
//!
//! Come here to change when a pass is made and what becomes of one that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::rows::{BATCH, HEAP, condense, ends, take, take_heap};
use crate::infrastructure::cache::{Cache, CacheHealth, Deliveries};
use crate::infrastructure::database::Database;

/// Between two looks of an idle instance, at most. A random part of up to a fifth is left out, so that instances do not
/// look at the same moment.
const IDLE: Duration = Duration::from_millis(250);
/// Between two looks while a write waits for another instance.
const OTHERS: Duration = Duration::from_millis(20);
/// Between two looks at the size of the table while nothing is delivered.
pub(super) const CONDENSE: Duration = Duration::from_secs(5);
/// Batches of one pass; past them everything is invalidated at once, and the rows are only removed.
const MOST_BATCHES: usize = 10;
/// Writes that share one pass.
const MOST_SHARING: usize = 10_000;

/// What a pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every change from before the pass has been delivered.
    Delivered,
    /// The changes stand in the table until the cache is back, and no other instance delivers them either.
    CacheUnavailable,
    /// The database did not answer.
    DatabaseUnavailable,
}

/// A write, or a recovery, that waits.
pub(super) struct Waiting {
    pub(super) answer: oneshot::Sender<Outcome>,
    /// Nobody listens any more after that.
    pub(super) until: Instant,
}

/// The state of the task.
pub(super) struct Drain {
    database: Database,
    deliveries: Deliveries,
    cache: Cache,
    /// Those that wait for another instance, each with the largest number of a row that has to be gone.
    others: Vec<(i64, Waiting)>,
    /// The largest number at the time when no other instance delivered; until a row up to it is gone nobody waits for others.
    deserted: Option<i64>,
    /// Whether the database did not answer last, for those that do not wait for that to be known.
    is_failing: Arc<AtomicBool>,
    /// When the size of the table was looked at last.
    condensed: Instant,
}

impl Drain {
    pub(super) fn new(
        database: Database,
        deliveries: Deliveries,
        cache: Cache,
        is_failing: Arc<AtomicBool>,
    ) -> Self {
        Self {
            database,
            deliveries,
            cache,
            others: Vec::new(),
            deserted: None,
            is_failing,
            condensed: Instant::now(),
        }
    }

    /// Makes passes until nobody can ask for one any more.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Waiting>) {
        let mut group = Vec::new();
        loop {
            let pause = if self.others.is_empty() {
                IDLE.mul_f64(1.0 - rand::random::<f64>() / 5.0)
            } else {
                OTHERS
            };
            tokio::select! {
                received = requests.recv_many(&mut group, MOST_SHARING) => {
                    if received == 0 {
                        return;
                    }
                    // The group is complete before the pass begins: all of its members have committed.
                    let outcome = self.pass().await;
                    self.answer(&mut group, outcome).await;
                }
                () = sleep(pause) => self.look().await,
            }
        }
    }

    /// One look of an idle instance.
    async fn look(&mut self) {
        let is_away = self.cache.health() == CacheHealth::Down;
        let found = match ends(&self.database).await {
            Ok(found) => found,
            Err(error) => return self.note_failure(&error),
        };
        if !is_away && found.is_some() {
            let outcome = self.pass().await;
            if outcome == Outcome::Delivered {
                self.release(None);
            }
            return;
        }
        self.note_success();
        self.release(found.map(|(smallest, _)| smallest));
        if found.is_some() && self.condensed.elapsed() >= CONDENSE {
            self.condensed = Instant::now();
            if let Err(error) = condense(&self.database).await {
                self.note_failure(&error);
            }
        }
    }

    /// Answers those that wait for another instance, as far as the smallest number that is left permits.
    fn release(&mut self, smallest: Option<i64>) {
        let is_gone = |largest: i64| smallest.is_none_or(|smallest| smallest > largest);
        if self.deserted.is_some_and(is_gone) {
            self.deserted = None;
        }
        let now = Instant::now();
        for (largest, waiting) in std::mem::take(&mut self.others) {
            if is_gone(largest) {
                let _ = waiting.answer.send(Outcome::Delivered);
            } else if now + 2 * OTHERS >= waiting.until {
                self.deserted = Some(largest);
                let _ = waiting.answer.send(Outcome::CacheUnavailable);
            } else {
                self.others.push((largest, waiting));
            }
        }
    }

    /// Answers a group after its pass.
    async fn answer(&mut self, group: &mut Vec<Waiting>, outcome: Outcome) {
        let mut outcome = outcome;
        if outcome == Outcome::Delivered {
            self.deserted = None;
        } else if outcome == Outcome::CacheUnavailable && self.deserted.is_none() {
            match ends(&self.database).await {
                Ok(Some((_, largest))) => {
                    let waiting = group.drain(..).map(|waiting| (largest, waiting));
                    self.others.extend(waiting);
                    return;
                }
                // Another instance has delivered everything.
                Ok(None) => outcome = Outcome::Delivered,
                Err(error) => {
                    self.note_failure(&error);
                    outcome = Outcome::DatabaseUnavailable;
                }
            }
        }
        for waiting in group.drain(..) {
            // One that has gone meanwhile needs no answer.
            let _ = waiting.answer.send(outcome);
        }
    }

    /// Delivers every change that is visible now.
    async fn pass(&self) -> Outcome {
        if self.cache.health() == CacheHealth::Down {
            return Outcome::CacheUnavailable;
        }
        for batch in 0.. {
            let delivered = if batch < MOST_BATCHES {
                self.deliver_batch().await
            } else {
                self.deliver_heap().await
            };
            match delivered {
                Ok(Some(true)) => {}
                Ok(Some(false)) => {
                    self.note_success();
                    return Outcome::Delivered;
                }
                // The log says already that the cache is not available.
                Ok(None) => return Outcome::CacheUnavailable,
                Err(error) => {
                    self.note_failure(&error);
                    return Outcome::DatabaseUnavailable;
                }
            }
        }
        Outcome::Delivered
    }

    /// Delivers one batch, and returns whether there may be more; `None` where the cache is not available.
    async fn deliver_batch(&self) -> Result<Option<bool>, sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        let changes = take(&mut transaction).await?;
        if !changes.is_empty() && self.deliveries.deliver(&changes).await.is_err() {
            return Ok(None);
        }
        transaction.commit().await?;
        Ok(Some(is_full(changes.len(), BATCH)))
    }

    /// The same by invalidating everything, with one generation in place of many deletions.
    async fn deliver_heap(&self) -> Result<Option<bool>, sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        let taken = take_heap(&mut transaction).await?;
        if taken > 0 && self.deliveries.deliver_everything().await.is_err() {
            return Ok(None);
        }
        transaction.commit().await?;
        tracing::warn!(
            changes = taken,
            "more changes are undelivered than are delivered one by one: everything was invalidated"
        );
        Ok(Some(is_full(usize::try_from(taken).unwrap_or(0), HEAP)))
    }

    fn note_failure(&self, error: &sqlx::Error) {
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "changes cannot be read from the database ({error}): writes distrust the cache until they can"
            );
        }
    }

    fn note_success(&self) {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            tracing::info!("changes can be read from the database again");
        }
    }
}

fn is_full(taken: usize, limit: i64) -> bool {
    usize::try_from(limit).is_ok_and(|limit| taken >= limit)
}
