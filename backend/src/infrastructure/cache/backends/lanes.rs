//! The shared connections of a process to one server. Redis and Memcached use the same code.
//!
//! A few connections serve every request of the process. A *lane* is the place of one connection: a lost connection is
//! replaced in its lane. A thread always uses the same lane, so that a look-up wakes no other thread.
//!
//! Come here to change which connection a command takes, or which connections are closed together. The state of one
//! connection is in `lane`; how a connection is made is in `redis::connections` and `memcached::connections`; the rules
//! for silent connections are in `second_attempt`. No command is written here.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::contract::BackendError;
pub(super) use super::lane::Connector;
use super::lane::{Lane, Numbered, Open};

/// The shortest time between two checks of all connections for a sign of life.
const BETWEEN_CHECKS: Duration = Duration::from_millis(250);
/// The system's keepalive: the idle time before the first probe, the interval, and the number of probes.
pub(super) const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
pub(super) const KEEPALIVE_RETRIES: u32 = 3;
/// The longest time that sent data may stay unacknowledged before the system closes the connection.
#[cfg(target_os = "linux")]
pub(super) const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// The shared connections of a process.
pub(super) struct Lanes<C: Connector>(Arc<Shared<C>>);

struct Shared<C: Connector> {
    connector: C,
    /// One lane for each connection of the settings, and a last one for second attempts.
    lanes: Box<[Lane<C>]>,
    /// The time of the last check for signs of life.
    checked: Mutex<Option<Instant>>,
}

/// A connection, with the lane that it is of.
pub(super) struct Placed<T> {
    pub(super) connection: T,
    pub(super) place: Place,
    /// Whether the connection is used because another one gave no answer. The server may still carry out the command
    /// that was sent on the other one, at any time.
    pub(super) is_second: bool,
}

/// The lane and the number of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    lane: usize,
    serial: u64,
}

impl<T> Placed<T> {
    fn of(lane: usize, numbered: Numbered<T>) -> Self {
        Self {
            connection: numbered.connection,
            place: Place {
                lane,
                serial: numbered.serial,
            },
            is_second: false,
        }
    }
}

impl<C: Connector> Clone for Lanes<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Connector> Lanes<C> {
    pub(super) fn new(connector: C, count: usize) -> Self {
        Self(Arc::new(Shared {
            connector,
            lanes: (0..=count.max(1)).map(|_| Lane::default()).collect(),
            checked: Mutex::default(),
        }))
    }

    /// The connector.
    pub(super) fn connector(&self) -> &C {
        &self.0.connector
    }

    /// The connection of this thread.
    pub(super) async fn of_thread(&self) -> Result<Placed<C::Connection>, BackendError> {
        self.connection_of(thread_number() % self.second_lane())
            .await
    }

    /// A connection for a second attempt. It was made after the first attempt began, so it is not the connection of the
    /// first attempt.
    pub(super) async fn for_second_attempt(
        &self,
        first_began: Instant,
    ) -> Result<Placed<C::Connection>, BackendError> {
        let second = self.second_lane();
        self.lane(second).end_made(|at| at < first_began);
        let mut placed = self.connection_of(second).await?;
        placed.is_second = true;
        Ok(placed)
    }

    /// Closes this connection, unless it has been replaced.
    pub(super) fn end(&self, place: Place) {
        self.lane(place.lane).end_number(place.serial);
    }

    /// Closes every connection, unless this one has been replaced. The others are probably dead too, and a second
    /// attempt must not get a dead connection. Commands that were sent are still answered if possible.
    pub(super) fn end_all_with(&self, place: Place) {
        if self.lane(place.lane).has(place.serial) {
            self.end_all();
        }
    }

    /// Closes every connection. Commands that were sent are still answered if possible.
    pub(super) fn end_all(&self) {
        for lane in &self.0.lanes {
            lane.end();
        }
    }

    /// Closes every connection that is older than `age`, because an answer on one of them belonged to another command. A
    /// younger connection stays: the command of that answer is older than the connection.
    pub(super) fn end_out_of_step(&self, age: Duration) {
        for lane in &self.0.lanes {
            lane.end_made(|at| at.elapsed() > age);
        }
    }

    /// Asks for a sign of life on every open connection, in the background and at most every
    /// [`BETWEEN_CHECKS`]. A connection that gives none within `silence_limit` is closed. This also keeps connections from
    /// being idle, so that neither the server nor a firewall closes them.
    pub(super) fn check_all<F>(
        &self,
        silence_limit: Duration,
        sign_of_life: impl Fn(C::Connection) -> F + Send + 'static,
    ) where
        F: Future<Output = bool> + Send + 'static,
    {
        {
            let mut checked = self
                .0
                .checked
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if checked.is_some_and(|at| at.elapsed() < BETWEEN_CHECKS) {
                return;
            }
            *checked = Some(Instant::now());
        }
        for lane in 0..self.0.lanes.len() {
            if let Some(placed) = self.open(lane) {
                let (lanes, place) = (self.clone(), placed.place);
                let sign_of_life = timeout(silence_limit, sign_of_life(placed.connection));
                tokio::spawn(async move {
                    if !matches!(sign_of_life.await, Ok(true)) {
                        lanes.end(place);
                    }
                });
            }
        }
    }

    fn second_lane(&self) -> usize {
        self.0.lanes.len() - 1
    }

    fn lane(&self, number: usize) -> &Lane<C> {
        &self.0.lanes[number]
    }

    fn open(&self, number: usize) -> Option<Placed<C::Connection>> {
        let numbered = self.lane(number).connection()?;
        Some(Placed::of(number, numbered))
    }

    async fn connection_of(&self, number: usize) -> Result<Placed<C::Connection>, BackendError> {
        if let Some(placed) = self.open(number) {
            return Ok(placed);
        }
        let renewed = self.lane(number).renewed.notified();
        let mut renewed = pin!(renewed);
        // Registered before the check of the lane, so that no renewal is missed.
        renewed.as_mut().enable();
        if let Some(placed) = self.open_or_renew(number)? {
            return Ok(placed);
        }
        renewed.await;
        self.open_or_renew(number)?.ok_or_else(|| {
            BackendError::Unavailable("the connection was lost as soon as it was made".to_owned())
        })
    }

    /// A connection; `None` while the lane is being renewed.
    fn open_or_renew(&self, number: usize) -> Result<Option<Placed<C::Connection>>, BackendError> {
        match self.lane(number).open()? {
            Open::Connection(numbered) => return Ok(Some(Placed::of(number, numbered))),
            Open::Renewing => {}
            Open::Renew(began) => {
                // The renewal is a task of its own, because it continues after the command's deadline.
                tokio::spawn(self.clone().renew(number, began));
            }
        }
        Ok(None)
    }

    async fn renew(self, number: usize, began: Instant) {
        let connected = self.0.connector.connect().await;
        self.lane(number).renew(began, connected);
    }
}

/// The number of this thread: threads are numbered in the order of their first call.
pub(super) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
