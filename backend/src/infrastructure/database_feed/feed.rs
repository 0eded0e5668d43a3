//! The feed as the cache and the start of the program see it.
//!
//! Come here to change how long a write waits. The task that delivers is in `drain`, not here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::age::FeedAge;
use super::drain::{CONDENSE, Drain, Outcome, Waiting};
use super::rows;
use crate::cache::{Cache, ChangeFeed, Changes, Delivered, FeedUnavailable};
use crate::database::Database;
use crate::settings::DatabaseSettings;

/// The longest time that a write waits for the delivery of its changes (C54).
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The longest time that a recovery waits for one answer of the feed (C55). It asks repeatedly, and answers other
/// instances in between.
const LONGEST_LOOK: Duration = Duration::from_millis(200);
/// The pause before a write asks for another pass after an error of the database.
const RETRY: Duration = Duration::from_millis(50);
/// The most writes in the queue. Further writes wait until there is room.
const MOST_WAITING: usize = 10_000;

/// The feed of a process, which ends with this value.
#[derive(Debug)]
pub struct DatabaseFeed(JoinHandle<()>);

impl DatabaseFeed {
    /// Starts delivering the changes that the modules declare, and attaches the feed to the cache. Changes from before
    /// the start are delivered when this returns, unless the cache or the database takes over a second. `database` is the
    /// feed's own, of [`own_database`]. While requests wait for connections of `requests_database`, more writes share a
    /// pass. It notes the `age` of the oldest change that is left.
    pub async fn start(
        database: Database,
        requests_database: &Database,
        cache: &Cache,
        declared: &[Changes],
        age: &FeedAge,
    ) -> Self {
        let (requests, waiting) = mpsc::channel(MOST_WAITING);
        let is_failing = Arc::new(AtomicBool::new(false));
        let drain = Drain::new(
            database,
            requests_database.clone(),
            cache.deliveries(declared),
            cache.clone(),
            Arc::clone(&is_failing),
            age.clone(),
        );
        let task = Self::spawn(drain, waiting);
        let queue = Queue {
            requests,
            is_failing,
        };
        // A failure is in the log.
        let _ = queue.deliver_before_trust(LONGEST_WAIT).await;
        let feed: Arc<dyn ChangeFeed> = Arc::new(queue);
        cache.attach_feed(&feed);
        task
    }

    /// No part of the future of [`Self::start`], which its caller would compile again.
    fn spawn(drain: Drain, waiting: mpsc::Receiver<Waiting>) -> Self {
        Self(tokio::spawn(drain.run(waiting)))
    }

    /// The feed of an instance that delivers nothing, because it has no cache or the feed is off. It bounds the table,
    /// so that triggers do not fill it while no other instance delivers.
    #[must_use]
    pub fn condense_only(database: Database) -> Self {
        Self(tokio::spawn(async move {
            loop {
                sleep(CONDENSE).await;
                if let Err(error) = rows::condense(&database).await {
                    tracing::debug!("cache_changes was not condensed: {error}");
                }
            }
        }))
    }
}

impl Drop for DatabaseFeed {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The feed's own pool of two connections, so that the feed never waits for requests. A transaction that is idle for 3 s (or `DATABASE_IDLE_TRANSACTION_TIMEOUT`, if that
/// is shorter) is ended, so that the rows of a pass that waits for the cache are free for another instance. A crash of the
/// database may bring rows back that a pass had removed. They are delivered again, so its commit does not wait for the disk.
///
/// # Errors
/// `DATABASE_URL` cannot be parsed.
pub fn own_database(settings: &DatabaseSettings) -> Result<Database, sqlx::Error> {
    let settings = DatabaseSettings {
        database_pool_size: 2,
        database_idle_transaction_timeout: settings.database_idle_transaction_timeout.min(3),
        ..settings.clone()
    };
    Database::for_repeatable_work("feed", &settings)
}

/// The queue of the task that makes passes.
struct Queue {
    requests: mpsc::Sender<Waiting>,
    /// Whether the last question to the database was not answered.
    is_failing: Arc<AtomicBool>,
}

impl Queue {
    /// Waits for a pass that begins after this call; `None` where there was none in time.
    async fn ask(&self, began: Instant, until: Instant) -> Option<Outcome> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            answer,
            began,
            until,
        };
        timeout_at(until, self.requests.send(waiting))
            .await
            .ok()?
            .ok()?;
        timeout_at(until, answered).await.ok()?.ok()
    }

    /// Delivers every change that this instance must not serve from before. Returns whether it could.
    async fn deliver_before_trust(&self, longest: Duration) -> Result<bool, FeedUnavailable> {
        let until = Instant::now() + longest;
        // The second pass is for a write that was committed after the first one had begun, and answered at once before it
        // ended, since no instance delivered until then.
        for _ in 0..2 {
            match self.ask(Instant::now(), until).await {
                Some(Outcome::Delivered(_)) => {}
                Some(Outcome::DatabaseUnavailable) => return Err(FeedUnavailable),
                None if self.is_failing.load(Ordering::Relaxed) => return Err(FeedUnavailable),
                // A pass that takes long goes on.
                Some(Outcome::CacheUnavailable) | None => return Ok(false),
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl ChangeFeed for Queue {
    async fn after_write(&self, began: std::time::Instant) -> Result<Delivered, FeedUnavailable> {
        let until = Instant::now() + LONGEST_WAIT;
        loop {
            match self.ask(began.into(), until).await {
                Some(Outcome::Delivered(delivered)) => return Ok(delivered),
                Some(Outcome::CacheUnavailable) => return Ok(Delivered::default()),
                Some(Outcome::DatabaseUnavailable) if Instant::now() + RETRY < until => {
                    sleep(RETRY).await;
                }
                Some(Outcome::DatabaseUnavailable) | None => return Err(FeedUnavailable),
            }
        }
    }

    async fn has_delivered(&self) -> Result<bool, FeedUnavailable> {
        self.deliver_before_trust(LONGEST_LOOK).await
    }
}
