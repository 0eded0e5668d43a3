//! The task that makes the passes. The protocol is described in `mod.rs`.
//!
//! Come here to change when a pass is made, and what follows from a pass that fails. The statements are in `rows`, not
//! here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::age::FeedAge;
use super::gathering::{MOST_SHARING, gather};
use super::rows::{self, BATCH, Ends, HEAP, condense, take, take_heap};
use super::watch::Watch;
use crate::cache::{Cache, CacheHealth, Delivered, Deliveries};
use crate::database::Database;

/// The longest interval between two look-ups of an idle instance. A random part of up to a fifth is left out, so that
/// instances do not look at the same moment.
const IDLE: Duration = Duration::from_millis(250);
/// The interval between two look-ups while a write waits for another instance.
const OTHERS: Duration = Duration::from_millis(20);
/// The interval between two checks of the table's size while nothing is delivered.
pub(super) const CONDENSE: Duration = Duration::from_secs(5);
/// The most batches of one pass. Beyond that everything is invalidated at once, and the rows are only removed.
const MOST_BATCHES: usize = 10;

/// The result of a pass.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Every change from before the pass has been delivered: these by this instance, others by another one.
    Delivered(Delivered),
    /// This instance does not reach the cache. The changes stay in the table until an instance that reaches it delivers
    /// them.
    CacheUnavailable,
    /// The database did not answer.
    DatabaseUnavailable,
}

/// A write or a recovery that waits for a pass.
pub(super) struct Waiting {
    pub(super) answer: oneshot::Sender<Outcome>,
    /// The begin of the write, before its commit.
    pub(super) began: Instant,
    /// The end of the wait.
    pub(super) until: Instant,
}

/// The state of the task.
pub(super) struct Drain {
    database: Database,
    requests_database: Database,
    deliveries: Deliveries,
    cache: Cache,
    /// The writes that wait for another instance. The number is that of the last row that must be gone.
    others: Vec<(i64, Waiting)>,
    /// The end of the last look that delivered, and what it invalidated. A write may have committed just before.
    looked: Option<(Instant, Delivered)>,
    /// Whether another instance delivers while this one does not reach the cache.
    watch: Watch,
    /// Whether the last question to the database was not answered. Writes read it instead of waiting for an answer.
    is_failing: Arc<AtomicBool>,
    age: FeedAge,
    /// The time of the last check of the table's size.
    condensed: Instant,
}

impl Drain {
    pub(super) fn new(
        database: Database,
        requests_database: Database,
        deliveries: Deliveries,
        cache: Cache,
        is_failing: Arc<AtomicBool>,
        age: FeedAge,
    ) -> Self {
        Self {
            database,
            requests_database,
            deliveries,
            cache,
            others: Vec::new(),
            looked: None,
            watch: Watch::default(),
            is_failing,
            age,
            condensed: Instant::now(),
        }
    }

    /// Makes passes until the feed is dropped.
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
                    gather(&mut group, &mut requests, || self.requests_database.is_waited_for()).await;
                    // The group is complete before the pass begins: all of its members have committed.
                    let outcome = self.pass().await;
                    self.answer(&mut group, outcome).await;
                }
                () = sleep(pause) => self.look().await,
            }
        }
    }

    /// Looks for rows, once: the work of an idle instance.
    async fn look(&mut self) {
        let is_away = self.cache.health() == CacheHealth::Down;
        let found = match self.ends().await {
            Ok(found) => found,
            Err(error) => return self.note_failure(&error),
        };
        if !is_away {
            self.watch.end();
            if found.is_some() {
                if let Outcome::Delivered(delivered) = self.pass().await {
                    self.looked = Some((Instant::now(), delivered));
                    self.release(None);
                }
                return;
            }
        }
        self.note_success();
        self.release(found.as_ref().map(|ends| ends.smallest));
        let largest = found.as_ref().map(|ends| ends.largest);
        if let Err(error) = self.keep_watch(is_away, largest).await {
            self.note_failure(&error);
        }
    }

    /// The work while this instance cannot deliver.
    async fn keep_watch(&mut self, is_away: bool, largest: Option<i64>) -> Result<(), sqlx::Error> {
        if is_away {
            self.watch.look(&self.database, largest).await?;
        }
        if largest.is_some() && self.condensed.elapsed() >= CONDENSE {
            self.condensed = Instant::now();
            condense(&self.database).await?;
        }
        Ok(())
    }

    /// Answers the writes that wait for another instance and whose rows are gone: those below the smallest number that
    /// is left.
    fn release(&mut self, smallest: Option<i64>) {
        let is_gone = |largest: i64| smallest.is_none_or(|smallest| smallest > largest);
        let now = Instant::now();
        for (largest, waiting) in std::mem::take(&mut self.others) {
            if is_gone(largest) {
                let by_others = Outcome::Delivered(Delivered::default());
                let _ = waiting.answer.send(by_others);
            } else if now + 2 * OTHERS >= waiting.until {
                self.watch.nobody_delivers(largest);
                let _ = waiting.answer.send(Outcome::CacheUnavailable);
            } else {
                self.others.push((largest, waiting));
            }
        }
    }

    /// Answers a group after its pass.
    async fn answer(&mut self, group: &mut Vec<Waiting>, outcome: Outcome) {
        let mut outcome = outcome;
        if matches!(outcome, Outcome::CacheUnavailable) {
            match self.last_row_for_others().await {
                Ok(Some(largest)) => {
                    tracing::debug!(row = largest, "writes wait for another instance");
                    let waiting = group.drain(..).map(|waiting| (largest, waiting));
                    self.others.extend(waiting);
                    return;
                }
                Ok(None) => {}
                Err(error) => {
                    self.note_failure(&error);
                    outcome = Outcome::DatabaseUnavailable;
                }
            }
        }
        for waiting in group.drain(..) {
            let outcome = match (&outcome, &self.looked) {
                (Outcome::Delivered(delivered), Some((ended, before)))
                    if *ended >= waiting.began =>
                {
                    Outcome::Delivered(before.clone().and(delivered.clone()))
                }
                _ => outcome.clone(),
            };
            // A write that has ended meanwhile needs no answer.
            let _ = waiting.answer.send(outcome);
        }
    }

    /// The number of the last row that another instance has to deliver. `None` where there is nothing to wait for: no row
    /// is left, or no instance delivers.
    async fn last_row_for_others(&mut self) -> Result<Option<i64>, sqlx::Error> {
        if self.watch.is_deserted(&self.database).await? {
            return Ok(None);
        }
        Ok(self.ends().await?.map(|ends| ends.largest))
    }

    /// The ends of the table, with a note of the age of the oldest change.
    async fn ends(&self) -> Result<Option<Ends>, sqlx::Error> {
        let found = rows::ends(&self.database).await?;
        self.age.note(found.as_ref().map(|ends| ends.age));
        Ok(found)
    }

    /// Delivers every change that is visible now.
    async fn pass(&self) -> Outcome {
        let mut all = Delivered::default();
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
                Ok(Some((delivered, may_be_more))) => {
                    all = all.and(delivered);
                    if !may_be_more {
                        self.note_success();
                        self.age.note(None);
                        return Outcome::Delivered(all);
                    }
                }
                // The cache has logged that it is not available.
                Ok(None) => return Outcome::CacheUnavailable,
                Err(error) => {
                    self.note_failure(&error);
                    return Outcome::DatabaseUnavailable;
                }
            }
        }
        Outcome::Delivered(all)
    }

    /// Delivers one batch, and returns whether there may be more; `None` where the cache is not available.
    async fn deliver_batch(&self) -> Result<Option<(Delivered, bool)>, sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        let taken = take(&mut transaction).await?;
        let mut delivered = Delivered::default();
        if !taken.changes.is_empty() {
            match self.deliveries.deliver(&taken.changes).await {
                Ok(done) => delivered = done,
                Err(_) => return Ok(None),
            }
        }
        transaction.commit().await?;
        Ok(Some((delivered, is_full(taken.rows, BATCH))))
    }

    /// Delivers a batch by invalidating everything: one new generation in place of many deletions.
    async fn deliver_heap(&self) -> Result<Option<(Delivered, bool)>, sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        let taken = take_heap(&mut transaction).await?;
        let mut delivered = Delivered::default();
        if taken > 0 {
            match self.deliveries.deliver_everything().await {
                Ok(done) => delivered = done,
                Err(_) => return Ok(None),
            }
        }
        transaction.commit().await?;
        tracing::warn!(
            changes = taken,
            "more changes are undelivered than are delivered one by one: everything was invalidated"
        );
        let may_be_more = is_full(usize::try_from(taken).unwrap_or(0), HEAP);
        Ok(Some((delivered, may_be_more)))
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
