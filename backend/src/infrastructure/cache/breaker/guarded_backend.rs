//! A backend behind deadlines, the circuit breaker and recovery (C26, C27, C35, C58).
//!
//! Come here for the states, and for reading and storing. Deletions are in `deletions`, `distrust` and `recovery`, counting is
//! in `counters`. No file outside this folder may read from or write to a backend.
//!
//! # States
//!
//! ```text
//!                    every instance has answered the roll call
//!     Ready ◀──────────────────────────────────────────── Recovering
//!       │                                                  ▲   ▲  │
//!       ├── an operation failed ──▶ Doubtful ──────────────┘   │  │
//!       │                           ▲  │   the server answered │  │
//!       │                           │  │   and is the same:    │  │
//!       │                           │  │   a roll call begins  │  │
//!       │                           └──┼───────────────────────┼──┘ an operation failed
//!       │ a deletion failed twice      │ 3 failures in a row    │
//!       ▼                              ▼                        │
//!     Unavailable ◀────────────────────┘                        │
//!       └───────────────────────────────────────────────────────┘
//!         the probe answered: a new generation and a roll call begin, then all pending deletions
//!         are delivered
//! ```
//!
//! *Ready*, *Doubtful* and *Recovering* also lead to *Unavailable* at once where a visit finds another server, or instances with
//! another list of servers. A record that is gone leads from *Ready* or *Recovering* to *Doubtful*.
//!
//! Only in *Ready*, and while the lease of the generation lasts, is anything read from or stored in the
//! backend. In *Ready*, *Doubtful* and *Recovering* deletions are sent at once. In *Unavailable* they
//! are kept.
//!
//! # Why nothing stale outlives an outage
//!
//! Every entry carries the *generation* of the namespace, a random number that the backend holds under
//! `~generation`. An instance trusts only entries of the generation that it knows, and only while it has
//! confirmed that generation within its lease (`trust`). An instance that had an outage sets a new
//! generation, delivers its pending deletions, and then waits until every other instance has answered
//! its roll call. An instance answers only while it sends deletions at once. So an instance that has
//! answered holds no pending deletion from before the roll call, or has set a newer generation since. An
//! instance that saw one failure begins a roll call too, since another may have failed to delete at that
//! moment. A server that restarted with an old snapshot has another identity than the one recorded with
//! the generation, which counts as an outage too.
//!
//! An instance that does not answer within its grace (`intervals`) has died or cannot reach the server.
//! It is removed from the record, and a new generation takes the place of its possible pending
//! deletions.
//!
//! # The start and the end of a process
//!
//! A process begins a roll call before it trusts an entry. It leaves the record when it ends with nothing
//! pending. So hits survive a clean restart, and a process that ended with pending deletions, or was
//! killed, is noticed by the next process that starts: it is listed and does not answer (C58).
//!
//! # Bounds
//!
//! At most [`MAX_PENDING`](super::pending_deletions::MAX_PENDING) keys are kept. Beyond that, and for
//! patterns, only the new generation is kept, which distrusts the whole namespace.
//!
//! # No promise
//!
//! Without the database feed (C53), an instance that alone is cut off from a backend that the others still reach cannot
//! invalidate for them: they see its writes when it has recovered. With the feed another instance delivers them. The lease is measured with the monotonic clock,
//! which stands still while the whole machine sleeps.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_util::task::TaskTracker;

use super::health::{Availability, Health, Unavailable};
use super::intervals::Intervals;
use super::known_record::KnownRecord;
use super::out_of_step::OutOfStep;
use super::pending_deletions::KeptDeletions;
use super::server_list::ServerList;
use super::shortfall::Shortfall;
use super::trust::Trust;
use crate::backends::{CacheBackend, Distribution, Found, GetOrCreateResult, Version};
use crate::change_feed::ChangeFeed;
use crate::keys::Key;
use crate::measurements::{Operation, OperationTimes};
use crate::stored::Member;

/// A backend behind deadlines, a breaker and recovery.
pub struct GuardedBackend {
    pub(crate) registered_name: String,
    /// The backend without deadlines and breaker.
    pub(crate) unguarded: Arc<dyn CacheBackend>,
    pub(crate) deadline: Duration,
    /// The namespace with its `:`, or nothing.
    pub(crate) namespace: String,
    pub(super) intervals: Intervals,
    pub(super) tasks: TaskTracker,
    pub(super) times: OperationTimes,
    pub(super) health: Health,
    trust: Trust,
    /// The id of this instance in the record.
    id: u64,
    /// The last seen state of the namespace's record.
    pub(super) record: KnownRecord,
    pub(super) out_of_step: OutOfStep,
    pub(super) pending: KeptDeletions,
    pub(super) shortfall: Shortfall,
    /// The list that the server stands in, and its place there.
    pub(super) list: Arc<ServerList>,
    pub(super) place: usize,
    feed: OnceLock<Arc<dyn ChangeFeed>>,
}

impl GuardedBackend {
    pub(crate) fn new(
        registered_name: String,
        unguarded: Arc<dyn CacheBackend>,
        deadline: Duration,
        namespace: String,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            health: Health::new(registered_name.clone()),
            times: OperationTimes::new(&registered_name),
            registered_name,
            unguarded,
            deadline,
            namespace,
            intervals: Intervals::of(deadline),
            tasks,
            trust: Trust::none(),
            id: rand::random(),
            record: KnownRecord::default(),
            out_of_step: OutOfStep::default(),
            pending: KeptDeletions::default(),
            shortfall: Shortfall::default(),
            list: Arc::new(ServerList::new(&Distribution::over([""]))),
            place: 0,
            feed: OnceLock::new(),
        }
    }

    /// The same as one of several servers (C61).
    pub(super) fn of_list(self, list: Arc<ServerList>, place: usize) -> Self {
        Self {
            list,
            place,
            ..self
        }
    }

    /// The feed that a recovery waits for (C55). The first one stays.
    pub(crate) fn attach_feed(&self, feed: &Arc<dyn ChangeFeed>) {
        let _ = self.feed.set(Arc::clone(feed));
    }

    pub(super) fn feed(&self) -> Option<&Arc<dyn ChangeFeed>> {
        self.feed.get()
    }

    /// A key of the namespace, in the server's form.
    pub(crate) fn key(&self, name: &str) -> Key {
        let mut key = Key::new(format!("{}{name}", self.namespace), self.namespace.len());
        key.fit(self.unguarded.max_key_bytes());
        key
    }

    /// A key of the cache itself on this server.
    pub(super) fn own_key(&self, name: &str) -> Key {
        self.key(&self.unguarded.own_name(name))
    }

    /// Handles a value that was stored under another key than the look-up's (C63): the answers on the
    /// connection are out of step, by a fault of a client or a proxy, or the value was copied. Logs an
    /// error, counts the value, and has the connection closed.
    pub(crate) fn reject_connection(&self, key: &str) {
        self.unguarded.answered_out_of_step(key);
        self.out_of_step.note(&self.registered_name, key);
    }

    /// The state of the backend, as this process sees it.
    pub(crate) fn availability(&self) -> Availability {
        self.health.availability()
    }

    /// Whether the backend may be read and filled. Its answers are checked with `trusts`.
    pub(crate) fn is_ready(&self) -> bool {
        self.availability() == Availability::Ready
    }

    /// The generation that trusted entries carry; 0 before the first one is known.
    pub(crate) fn generation(&self) -> u64 {
        self.trust.generation()
    }

    /// Whether an entry of this generation is an answer now. Call this *after* the entry was read: while
    /// the look-up waited, the server may have been replaced by one with an old snapshot, or this
    /// process may have been frozen.
    pub(crate) fn trusts(&self, generation: u64) -> bool {
        self.is_ready() && self.trust.holds(generation, self.unguarded.term())
    }

    /// Whether the lease of the generation has not ended.
    pub(super) fn has_lease(&self) -> bool {
        self.trust.holds(self.generation(), self.unguarded.term())
    }

    /// Trusts the generation that a visit has read in this term, unless another one than `before` has been trusted since the visit
    /// began. Returns whether it is trusted now. See [`Trust::trust`]. The lease begins when every server of the list
    /// had been asked.
    pub(super) fn trust_generation(
        &self,
        before: u64,
        generation: u64,
        visit_began: Instant,
        term: u64,
    ) -> bool {
        let lease = self.intervals.lease;
        let (began, lease) = self.list.lease(self.place, visit_began, lease);
        self.trust.trust(before, generation, began, lease, term)
    }

    /// This instance as a member of the record.
    pub(super) fn membership(&self) -> Member {
        Member {
            id: self.id,
            answered: 0,
            grace: self.intervals.grace,
            list: self.list.fingerprint(),
            lacking: self.list.lacking_besides(self.place),
        }
    }

    /// The value under a full key, if it is available without a round trip.
    pub(crate) fn at_hand(&self, key: &str) -> Option<Found> {
        self.unguarded.at_hand(key)
    }

    /// The value under a full key.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Found>, Unavailable> {
        self.observe_look_up(self.unguarded.get(key)).await
    }

    /// The value under a full key, from the server and not from a near cache.
    pub(crate) async fn get_from_server(&self, key: &str) -> Result<Option<Found>, Unavailable> {
        self.observe_look_up(self.unguarded.get_from_server(key))
            .await
    }

    /// Stores the value if the key holds the expected one.
    pub(crate) async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, Unavailable> {
        self.observe(
            Operation::CompareAndSet,
            self.unguarded
                .compare_and_set(key, expected, value, expiration),
        )
        .await
    }

    /// The server's value under a full key, or this one where the key is absent.
    pub(crate) async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<GetOrCreateResult, Unavailable> {
        let created = self.unguarded.get_or_create(key, value, expiration);
        self.observe(Operation::GetOrCreate, created).await
    }

    /// Stores the value, whether or not the key holds one.
    pub(crate) async fn set(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<(), Unavailable> {
        let set = self.unguarded.set(key, value, expiration);
        self.observe(Operation::Set, set).await
    }

    /// Gives up a claim that will not be filled. A claim that could not be deleted ends by expiry.
    pub(crate) async fn release(&self, key: String) {
        let keys = [key];
        let deleted = self.unguarded.delete(&keys);
        let _ = self.observe(Operation::Delete, deleted).await;
    }

    /// The reason that an available backend stores nothing at the moment, for the health check.
    pub(crate) fn shortfall(&self) -> Option<String> {
        if !self.list.is_agreed() {
            return Some("another instance has another list of servers".to_owned());
        }
        self.shortfall
            .current()
            .or_else(|| self.unguarded.shortfall())
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
