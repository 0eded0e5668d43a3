//! The guard in front of a backend: deadlines, the circuit breaker, and the deletions that a sick
//! backend still owes (C26, C27, C35).
//!
//! # States
//!
//! ```text
//!                          quarantine over
//!     Ready ◀──────────────────────────────────────────── Recovering
//!       │                                                  ▲   ▲  │
//!       ├── an operation failed ──▶ Doubtful ──────────────┘   │  │
//!       │                           ▲  │   the server answered │  │
//!       │                           │  │   and is the same     │  │
//!       │                           └──┼───────────────────────┼──┘ an operation failed
//!       │ a deletion failed twice      │ 3 failures in a row    │
//!       ▼                              ▼                        │
//!     Away ◀───────────────────────────┘                        │
//!       └───────────────────────────────────────────────────────┘
//!         the probe answered; before the quarantine begins, all deletions that were kept are delivered
//!         and a new generation is set
//! ```
//!
//! Only in *Ready* is anything read from or stored in the backend. In *Ready*, *Doubtful* and
//! *Recovering* deletions are sent at once; in *Away* they are kept.
//!
//! # Why nothing stale outlives an outage
//!
//! Every entry carries the *generation* of the namespace, a random number that the backend holds
//! under `~generation`. An instance trusts no entry of another generation than the one it knows. An
//! instance that met an outage delivers the deletions it owes, then sets a new generation, then waits
//! [`QUARANTINE`], in which every other instance that met the outage finds the backend again (they
//! probe every [`PROBE_INTERVAL`]) and does the same, and only then trusts the backend with the
//! generation it finds. An instance that saw no more than one failure waits as long, since another
//! may have failed to delete at that moment. So what was stored before the outage, whether or not somebody failed to
//! delete it, is never an answer again. A server that restarted with an old snapshot has another
//! identity than the one recorded with the generation, which counts as an outage too.
//!
//! # Bounds
//!
//! At most [`MAX_UNDELIVERED`](super::undelivered::MAX_UNDELIVERED) keys are kept. Past that, and for patterns, the new generation alone
//! does the work, which distrusts the whole namespace.

use std::future::Future;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::backends::{BackendError, CacheBackend, Found, Standing, Version};
use super::undelivered::Undelivered;
use super::warnings::RateLimit;

/// Consecutive failures that open the breaker.
pub const FAILURES_UNTIL_AWAY: u32 = 3;
/// How often the backend is asked whether it is well.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// How long a recovered backend is not trusted, so that others can deliver what they owe: a probe
/// interval, and half of one to deliver.
pub const QUARANTINE: Duration = Duration::from_millis(750);
/// How long a deletion may keep a writer waiting before it goes on in the background (C17).
const LONGEST_DELETION: Duration = Duration::from_secs(5);
/// Keys deleted under one deadline.
const DELETE_BATCH: usize = 500;

/// Why the cache could not be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// How the backend is, as this process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Availability {
    /// Not reached, or failing: the breaker is open.
    Away = 0,
    /// Reached again; others may still owe it deletions.
    Recovering = 1,
    /// An operation failed; it is not yet clear whether the server is well and still the same.
    Doubtful = 2,
    /// Well.
    Ready = 3,
}

/// A backend behind deadlines, a breaker and recovery.
pub struct BackendGuard {
    pub(super) registered_name: String,
    pub(super) backend: Arc<dyn CacheBackend>,
    pub(super) deadline: Duration,
    /// The namespace with its `:`, or nothing.
    pub(super) namespace: String,
    pub(super) wake: Notify,
    pub(super) changed: Notify,
    generation: AtomicU64,
    availability: AtomicU8,
    failures: AtomicU32,
    undelivered: Mutex<Undelivered>,
    warning: RateLimit,
}

impl BackendGuard {
    pub(super) fn new(
        registered_name: String,
        backend: Arc<dyn CacheBackend>,
        deadline: Duration,
        namespace: String,
    ) -> Self {
        Self {
            registered_name,
            backend,
            deadline,
            namespace,
            wake: Notify::new(),
            changed: Notify::new(),
            generation: AtomicU64::new(0),
            availability: AtomicU8::new(Availability::Away as u8),
            failures: AtomicU32::new(0),
            undelivered: Mutex::default(),
            warning: RateLimit::new(Duration::from_secs(1)),
        }
    }

    /// The key as the server knows it.
    pub(super) fn full_key(&self, key: &str) -> String {
        super::key::fit(
            format!("{}{key}", self.namespace),
            self.backend.max_key_bytes(),
        )
    }

    /// The glob as the server knows it: the namespace is taken literally.
    pub(super) fn full_pattern(&self, pattern: &str) -> String {
        // A namespace holds no glob character: the settings refuse them.
        format!("{}{pattern}", self.namespace)
    }

    pub(super) fn availability(&self) -> Availability {
        match self.availability.load(Ordering::Acquire) {
            3 => Availability::Ready,
            2 => Availability::Doubtful,
            1 => Availability::Recovering,
            _ => Availability::Away,
        }
    }

    /// Whether the backend may answer and be filled.
    pub(super) fn is_ready(&self) -> bool {
        self.availability() == Availability::Ready
    }

    /// The generation that trusted entries carry.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Release);
    }

    /// Takes over a generation that was read, unless another has been set since `before` was known.
    pub(super) fn replace_generation(&self, before: u64, generation: u64) -> bool {
        self.generation
            .compare_exchange(before, generation, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    pub(super) fn undelivered(&self) -> MutexGuard<'_, Undelivered> {
        self.undelivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state. Those that leave *Away* hold the lock on what is undelivered, so that no
    /// deletion is kept after the last one was delivered.
    pub(super) fn set_availability(&self, availability: Availability) {
        let before = self.availability.swap(availability as u8, Ordering::AcqRel);
        if before != availability as u8 {
            self.failures.store(0, Ordering::Relaxed);
            tracing::debug!(
                backend = self.registered_name,
                ?availability,
                "cache backend changed state"
            );
            self.changed.notify_waiters();
            self.wake.notify_one();
        }
    }

    /// Moves from one state to another, unless something else has happened meanwhile.
    pub(super) fn advance(&self, from: Availability, to: Availability) -> bool {
        let moved = self
            .availability
            .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if moved {
            self.failures.store(0, Ordering::Relaxed);
            self.changed.notify_waiters();
            self.wake.notify_one();
        }
        moved
    }

    /// The value under a full key, where nobody has to be asked for it.
    pub(super) fn at_hand(&self, key: &str) -> Option<Found> {
        self.backend.at_hand(key)
    }

    /// The value under a full key.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Found>, Unavailable> {
        self.observe_look_up(self.backend.get(key)).await
    }

    /// The value under a full key, as the server has it.
    pub(super) async fn get_from_server(&self, key: &str) -> Result<Option<Found>, Unavailable> {
        self.observe_look_up(self.backend.get_from_server(key))
            .await
    }

    /// Stores the value if the key holds what is expected.
    pub(super) async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, Unavailable> {
        self.observe(
            self.backend
                .compare_and_set(key, expected, value, expiration),
        )
        .await
    }

    /// The value under a full key as the server has it, or this one where there is none.
    pub(super) async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Standing, Unavailable> {
        self.observe(self.backend.get_or_create(key, value, expiration))
            .await
    }

    /// Stores the value whatever was there.
    pub(super) async fn set(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<(), Unavailable> {
        self.observe(self.backend.set(key, value, expiration)).await
    }

    /// Gives up a claim that will not be filled. Best effort: a claim that stays ends by itself.
    pub(super) async fn release(&self, key: String) {
        let _ = self.observe(self.backend.delete(&[key])).await;
    }

    /// Deletes full keys, so that nobody reads them after this returns. What cannot be deleted now is
    /// kept, and until it is delivered this process serves nothing from the backend (C35).
    pub(super) async fn invalidate(&self, keys: Vec<String>) -> Result<(), Unavailable> {
        for batch in keys.chunks(DELETE_BATCH) {
            if let Err(error) = self.delete_batch(batch).await {
                self.distrust(&keys, false);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Deletes what matches the full pattern; a deletion that takes long goes on in the background.
    pub(super) async fn invalidate_pattern(
        self: Arc<Self>,
        pattern: String,
    ) -> Result<(), DeletionError> {
        if self.keep_if_away(&[], true) {
            return Err(DeletionError::Unavailable(Unavailable(
                "the breaker is open".to_owned(),
            )));
        }
        let guard = Arc::clone(&self);
        let shown = pattern.clone();
        let deletion = tokio::spawn(async move {
            let result = guard.backend.delete_pattern(&pattern).await;
            if let Err(BackendError::Unavailable(_) | BackendError::NotStored(_)) = &result {
                guard.distrust(&[], true);
            }
            result
        });
        match timeout(LONGEST_DELETION, deletion).await {
            Ok(Ok(Ok(deleted))) => {
                tracing::debug!(pattern = shown, deleted, "deleted by pattern");
                Ok(())
            }
            Ok(Ok(Err(BackendError::PatternMatchingNotSupported(backend)))) => {
                Err(DeletionError::PatternMatchingNotSupported(backend))
            }
            Ok(Ok(Err(error))) => {
                self.warn(&error.to_string());
                Err(DeletionError::Unavailable(Unavailable(error.to_string())))
            }
            Ok(Err(panicked)) => {
                self.distrust(&[], true);
                Err(DeletionError::Unavailable(Unavailable(
                    panicked.to_string(),
                )))
            }
            Err(_) => {
                tracing::warn!(
                    pattern = shown,
                    "deletion by pattern takes over 5 s and goes on in the background"
                );
                Ok(())
            }
        }
    }

    /// One batch, within one deadline: tried on one connection and, when that fails or half of the
    /// time has passed, on another.
    async fn delete_batch(&self, keys: &[String]) -> Result<(), Unavailable> {
        if self.keep_if_away(keys, false) {
            return Err(Unavailable("the breaker is open".to_owned()));
        }
        let both = async {
            let first = self.backend.delete(keys);
            tokio::pin!(first);
            let early = timeout(self.deadline / 2, &mut first).await;
            match early {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => {
                    // The server may have restarted in between.
                    self.doubt();
                    self.backend.delete(keys).await
                }
                Err(_) => {
                    let second = self.backend.delete(keys);
                    tokio::pin!(second);
                    tokio::select! {
                        result = &mut first => match result { Ok(()) => Ok(()), Err(_) => second.await },
                        result = &mut second => match result { Ok(()) => Ok(()), Err(_) => first.await },
                    }
                }
            }
        };
        self.observe(both).await
    }

    /// Keeps deletions for later where the backend is away; answers whether it did.
    fn keep_if_away(&self, keys: &[String], overflowed: bool) -> bool {
        let mut undelivered = self.undelivered();
        if self.availability() != Availability::Away {
            return false;
        }
        undelivered.keep(keys, overflowed);
        true
    }

    /// Keeps deletions that failed and opens the breaker: until they are delivered nothing that the
    /// backend holds is trusted.
    pub(super) fn distrust(&self, keys: &[String], overflowed: bool) {
        let mut undelivered = self.undelivered();
        undelivered.keep(keys, overflowed);
        self.set_availability(Availability::Away);
    }

    /// Runs one operation under the deadline and lets the breaker know how it went.
    pub(super) async fn observe<T>(
        &self,
        operation: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, Unavailable> {
        let late = |_| Err(BackendError::no_answer_within(self.deadline));
        let result = timeout(self.deadline, operation).await;
        self.note(result.unwrap_or_else(late))
    }

    /// The same for a look-up, which may have a deadline already.
    async fn observe_look_up<T>(
        &self,
        look_up: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, Unavailable> {
        if self.backend.limits_look_ups() {
            self.note(look_up.await)
        } else {
            self.observe(look_up).await
        }
    }

    /// Lets the breaker know how an operation went.
    fn note<T>(&self, result: Result<T, BackendError>) -> Result<T, Unavailable> {
        match result {
            Ok(value) => {
                if self.failures.load(Ordering::Relaxed) != 0 {
                    self.failures.store(0, Ordering::Relaxed);
                }
                Ok(value)
            }
            // The server is well: it said no to this one value.
            Err(
                error @ (BackendError::NotStored(_) | BackendError::PatternMatchingNotSupported(_)),
            ) => Err(Unavailable(error.to_string())),
            Err(BackendError::Unavailable(error)) => {
                self.failed(&error);
                Err(Unavailable(error))
            }
        }
    }

    /// After a failure the backend is asked who it is before it is trusted again.
    fn doubt(&self) {
        if !self.advance(Availability::Ready, Availability::Doubtful) {
            self.advance(Availability::Recovering, Availability::Doubtful);
        }
    }

    fn failed(&self, error: &str) {
        self.warn(error);
        self.doubt();
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= FAILURES_UNTIL_AWAY && self.availability() != Availability::Away {
            self.set_availability(Availability::Away);
        }
    }

    /// Says that the backend is ill, at most once a second (C26).
    pub(super) fn warn(&self, error: &str) {
        if self.warning.permits() {
            // Clients' errors have several lines; a warning has one.
            let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
            tracing::warn!(
                backend = self.registered_name,
                "Cache backend not available: {error}"
            );
        }
    }
}

/// Why a deletion by pattern did not happen.
#[derive(Debug)]
pub(super) enum DeletionError {
    PatternMatchingNotSupported(&'static str),
    Unavailable(Unavailable),
}

impl std::fmt::Debug for BackendGuard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BackendGuard")
            .field("name", &self.registered_name)
            .field("availability", &self.availability())
            .finish_non_exhaustive()
    }
}
