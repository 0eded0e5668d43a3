//! The states of a backend and who may change them.
//!
//! Come here to see when the breaker opens and closes. The states are described in `guarded_backend`.

use std::sync::atomic::Ordering;

use super::guarded_backend::GuardedBackend;

/// Consecutive failures that open the breaker.
pub const FAILURES_UNTIL_AWAY: u32 = 3;

/// Why the cache could not be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// How the backend is, as this process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::infrastructure::cache) enum Availability {
    /// Not reached, or failing: the breaker is open.
    Away = 0,
    /// Reached again; others may still owe it deletions.
    Recovering = 1,
    /// An operation failed; it is not yet clear whether the server is well and still the same.
    Doubtful = 2,
    /// Well.
    Ready = 3,
}

impl GuardedBackend {
    pub(in crate::infrastructure::cache) fn availability(&self) -> Availability {
        match self.availability.load(Ordering::Acquire) {
            3 => Availability::Ready,
            2 => Availability::Doubtful,
            1 => Availability::Recovering,
            _ => Availability::Away,
        }
    }

    /// Whether the backend may be asked and filled. What it answers is checked with `trusts`.
    pub(in crate::infrastructure::cache) fn is_ready(&self) -> bool {
        self.availability() == Availability::Ready
    }

    /// Changes the state. Whoever leaves *Away* holds the lock on the pending deletions, so that no
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
            self.wake.notify_one();
        }
    }

    /// Moves from one state to another, unless something else has happened meanwhile.
    pub(in crate::infrastructure::cache) fn advance(
        &self,
        from: Availability,
        to: Availability,
    ) -> bool {
        let moved = self
            .availability
            .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if moved {
            self.failures.store(0, Ordering::Relaxed);
            self.wake.notify_one();
        }
        moved
    }

    /// How many operations have failed so far.
    pub(super) fn incidents(&self) -> u64 {
        self.incidents.load(Ordering::Acquire)
    }

    /// After a failure the backend is asked who it is before it is trusted again.
    pub(super) fn doubt(&self) {
        self.incidents.fetch_add(1, Ordering::AcqRel);
        if !self.advance(Availability::Ready, Availability::Doubtful) {
            self.advance(Availability::Recovering, Availability::Doubtful);
        }
    }

    pub(super) fn failed(&self, error: &str) {
        self.warn(error);
        self.doubt();
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= FAILURES_UNTIL_AWAY && self.availability() != Availability::Away {
            self.set_availability(Availability::Away);
        }
    }

    /// Says that the backend is ill, at most once a second (C26).
    pub(in crate::infrastructure::cache) fn warn(&self, error: &str) {
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
