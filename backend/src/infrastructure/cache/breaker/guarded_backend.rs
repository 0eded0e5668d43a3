//! A backend behind deadlines and the circuit breaker (C26, C27, C35).
//!
//! Come here to see what happens when a server fails. Deletions are in `deletions`, recovery in
//! `supervisor`.
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
//! At most [`MAX_PENDING_DELETIONS`](super::pending_deletions::MAX_PENDING_DELETIONS) keys are kept. Past
//! that, and for patterns, the new generation alone does the work, which distrusts the whole namespace.

use std::future::Future;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::health::{Availability, Unavailable};
use super::pending_deletions::PendingDeletions;
use crate::infrastructure::cache::backends::{
    BackendError, CacheBackend, Found, Standing, Version,
};
use crate::infrastructure::cache::log_limits::RateLimit;

/// How often the backend is asked whether it is well.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// How long a recovered backend is not trusted, so that others can deliver what they owe: a probe
/// interval, and half of one to deliver.
pub const QUARANTINE: Duration = Duration::from_millis(750);

/// A backend behind deadlines, a breaker and recovery.
pub struct GuardedBackend {
    pub(in crate::infrastructure::cache) registered_name: String,
    /// Without deadlines and breaker.
    pub(in crate::infrastructure::cache) unguarded: Arc<dyn CacheBackend>,
    pub(in crate::infrastructure::cache) deadline: Duration,
    /// The namespace with its `:`, or nothing.
    pub(in crate::infrastructure::cache) namespace: String,
    pub(in crate::infrastructure::cache) wake: Notify,
    pub(in crate::infrastructure::cache) changed: Notify,
    generation: AtomicU64,
    pub(super) availability: AtomicU8,
    pub(super) failures: AtomicU32,
    pub(super) pending_deletions: Mutex<PendingDeletions>,
    pub(super) warning: RateLimit,
}

impl GuardedBackend {
    pub(in crate::infrastructure::cache) fn new(
        registered_name: String,
        unguarded: Arc<dyn CacheBackend>,
        deadline: Duration,
        namespace: String,
    ) -> Self {
        Self {
            registered_name,
            unguarded,
            deadline,
            namespace,
            wake: Notify::new(),
            changed: Notify::new(),
            generation: AtomicU64::new(0),
            availability: AtomicU8::new(Availability::Away as u8),
            failures: AtomicU32::new(0),
            pending_deletions: Mutex::default(),
            warning: RateLimit::new(Duration::from_secs(1)),
        }
    }

    /// The key as the server knows it.
    pub(in crate::infrastructure::cache) fn full_key(&self, key: &str) -> String {
        crate::infrastructure::cache::keys::fit(
            format!("{}{key}", self.namespace),
            self.unguarded.max_key_bytes(),
        )
    }

    /// The glob as the server knows it: the namespace is taken literally.
    pub(in crate::infrastructure::cache) fn full_pattern(&self, pattern: &str) -> String {
        // A namespace holds no glob character: the settings refuse them.
        format!("{}{pattern}", self.namespace)
    }

    /// The generation that trusted entries carry.
    pub(in crate::infrastructure::cache) fn generation(&self) -> u64 {
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

    pub(super) fn pending_deletions(&self) -> MutexGuard<'_, PendingDeletions> {
        self.pending_deletions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The value under a full key, where nobody has to be asked for it.
    pub(in crate::infrastructure::cache) fn at_hand(&self, key: &str) -> Option<Found> {
        self.unguarded.at_hand(key)
    }

    /// The value under a full key.
    pub(in crate::infrastructure::cache) async fn get(
        &self,
        key: &str,
    ) -> Result<Option<Found>, Unavailable> {
        self.observe_look_up(self.unguarded.get(key)).await
    }

    /// The value under a full key, as the server has it.
    pub(in crate::infrastructure::cache) async fn get_from_server(
        &self,
        key: &str,
    ) -> Result<Option<Found>, Unavailable> {
        self.observe_look_up(self.unguarded.get_from_server(key))
            .await
    }

    /// Stores the value if the key holds what is expected.
    pub(in crate::infrastructure::cache) async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, Unavailable> {
        self.observe(
            self.unguarded
                .compare_and_set(key, expected, value, expiration),
        )
        .await
    }

    /// The value under a full key as the server has it, or this one where there is none.
    pub(in crate::infrastructure::cache) async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Standing, Unavailable> {
        self.observe(self.unguarded.get_or_create(key, value, expiration))
            .await
    }

    /// Stores the value whatever was there.
    pub(in crate::infrastructure::cache) async fn set(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<(), Unavailable> {
        self.observe(self.unguarded.set(key, value, expiration))
            .await
    }

    /// Gives up a claim that will not be filled. Best effort: a claim that stays ends by itself.
    pub(in crate::infrastructure::cache) async fn release(&self, key: String) {
        let _ = self.observe(self.unguarded.delete(&[key])).await;
    }

    /// Keeps deletions that failed and opens the breaker: until they are delivered nothing that the
    /// backend holds is trusted.
    pub(super) fn distrust(&self, keys: &[String], overflowed: bool) {
        let mut pending_deletions = self.pending_deletions();
        pending_deletions.keep(keys, overflowed);
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
        if self.unguarded.limits_look_ups() {
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
}

impl std::fmt::Debug for GuardedBackend {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("GuardedBackend")
            .field("name", &self.registered_name)
            .field("availability", &self.availability())
            .finish_non_exhaustive()
    }
}
