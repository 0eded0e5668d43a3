//! The states of a backend, and the events that change them.
//!
//! Come here to see what opens the breaker. It closes when `supervisor` has reached the server again. The states are
//! described in `guarded_backend`. Nothing here asks the server.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::log_limits::RateLimit;
use crate::measurements::Transitions;

/// The number of consecutive failures that open the breaker.
pub const FAILURES_UNTIL_UNAVAILABLE: u32 = 3;

/// Failures within this time count as one: when a connection is lost, all commands under way on it fail,
/// and that alone is no outage.
const ONE_EVENT: Duration = Duration::from_millis(5);

/// The reason that the cache could not be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// The state of the backend, as this process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Availability {
    /// Not reached, or failing: the breaker is open.
    Unavailable = 0,
    /// Reached again, but other instances may still hold pending deletions.
    Recovering = 1,
    /// An operation failed. Whether the server is available and still the same is not known yet.
    Doubtful = 2,
    /// Available and trusted.
    Ready = 3,
}

impl Availability {
    /// The names of the states, by their numbers.
    pub(super) const NAMES: [&'static str; 4] = ["unavailable", "recovering", "doubtful", "ready"];
}

/// The state of one backend, its counted failures and the limit of its warnings.
pub(super) struct Health {
    /// The name of the backend in the log.
    name: String,
    availability: AtomicU8,
    /// The number of failures in a row.
    failures: AtomicU32,
    /// Counts failures within [`ONE_EVENT`] as one.
    counted: RateLimit,
    /// The number of calls of [`Health::doubt`] since the start.
    doubts: AtomicU64,
    /// Whether the server may lack deletions of this instance.
    lacks_deletions: AtomicBool,
    /// Notified when the state changes.
    wake: Notify,
    warning: RateLimit,
    transitions: Transitions<4>,
}

impl Health {
    /// The state of a backend that has not been reached yet.
    pub(super) fn new(name: String) -> Self {
        Self {
            transitions: Transitions::new(&name, Availability::NAMES),
            name,
            availability: AtomicU8::new(Availability::Unavailable as u8),
            failures: AtomicU32::new(0),
            counted: RateLimit::new(ONE_EVENT),
            doubts: AtomicU64::new(0),
            lacks_deletions: AtomicBool::new(false),
            wake: Notify::new(),
            warning: RateLimit::new(Duration::from_secs(1)),
        }
    }

    /// The state now.
    pub(super) fn availability(&self) -> Availability {
        match self.availability.load(Ordering::Acquire) {
            3 => Availability::Ready,
            2 => Availability::Doubtful,
            1 => Availability::Recovering,
            _ => Availability::Unavailable,
        }
    }

    /// Returns when the state has changed since the last call.
    pub(super) async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Changes the state. A caller that leaves *Unavailable* must hold the lock on the pending deletions. Otherwise a
    /// deletion could become pending after the last one was delivered.
    pub(super) fn set_availability(&self, availability: Availability) {
        let before = self.availability.swap(availability as u8, Ordering::AcqRel);
        if before != availability as u8 {
            if availability == Availability::Unavailable {
                self.lacks_deletions.store(true, Ordering::Release);
            }
            self.entered(availability);
        }
    }

    /// Whether the server may lack deletions of this instance: it is unavailable, or does not have all pending ones yet.
    /// Not so before the first attempt to reach it.
    pub(super) fn lacks_deletions(&self) -> bool {
        self.lacks_deletions.load(Ordering::Acquire)
    }

    /// The first attempt to reach the server failed.
    pub(super) fn was_not_reached(&self) {
        self.lacks_deletions.store(true, Ordering::Release);
    }

    /// The pending deletions have been delivered. The caller holds the lock on them.
    pub(super) fn deletions_were_delivered(&self) {
        self.lacks_deletions.store(false, Ordering::Release);
        if self.availability() == Availability::Unavailable {
            self.lacks_deletions.store(true, Ordering::Release);
        }
    }

    /// Moves from one state to another, unless the state has changed meanwhile.
    pub(super) fn advance(&self, from: Availability, to: Availability) -> bool {
        let moved = self
            .availability
            .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if moved {
            self.entered(to);
        }
        moved
    }

    fn entered(&self, availability: Availability) {
        self.failures.store(0, Ordering::Relaxed);
        self.transitions.count(availability as usize);
        tracing::debug!(
            backend = self.name,
            state = Availability::NAMES[availability as usize],
            "cache backend changed state"
        );
        self.wake.notify_one();
    }

    /// The number of calls of [`Health::doubt`] since the start.
    pub(super) fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::Acquire)
    }

    /// Leaves *Ready* or *Recovering* for *Doubtful*: an operation failed, the namespace's record is gone, or the roll call
    /// is too old. The server's identity is checked before it is trusted again.
    pub(super) fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
        if !self.advance(Availability::Ready, Availability::Doubtful) {
            self.advance(Availability::Recovering, Availability::Doubtful);
        }
    }

    /// An operation succeeded.
    pub(super) fn succeeded(&self) {
        // Written only after a failure, because all hits share this cache line of the processor.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// An operation failed; after [`FAILURES_UNTIL_UNAVAILABLE`] in a row the breaker opens.
    pub(super) fn failed(&self, error: &str) {
        self.warn(error);
        self.doubt();
        if !self.counted.permits() {
            return;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= FAILURES_UNTIL_UNAVAILABLE
            && self.availability() != Availability::Unavailable
        {
            self.set_availability(Availability::Unavailable);
        }
    }

    /// Logs that the backend is unavailable, at most once a second (C26).
    pub(super) fn warn(&self, error: &str) {
        if self.warning.permits() {
            // Clients' errors have several lines; a warning has one.
            let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
            tracing::warn!(backend = self.name, "Cache backend not available: {error}");
        }
    }
}
