//! The generation that this instance trusts, the end of its lease, and the term of the server that it was read from.
//!
//! Come here to see why a process that was frozen or cut off serves no old entry: its lease has ended. A *visit* is one read
//! and, where needed, one write of the namespace's record, in `namespace_generation`. Each visit begins a new lease there.
//! The length of a lease is in `intervals`. Neither is decided here. A *term* is the time in which a server is the one that
//! every instance must use, see `CacheBackend::term`; it is always the same for a server that no other one replaces.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A generation and its lease.
#[derive(Debug)]
pub(super) struct Trust {
    generation: AtomicU64,
    /// The end of the lease, in nanoseconds since `origin`.
    until: AtomicU64,
    /// The term of the server that the generation was read from.
    term: AtomicU64,
    origin: Instant,
}

impl Trust {
    /// No trusted generation.
    pub(super) fn none() -> Self {
        Self {
            generation: AtomicU64::new(0),
            until: AtomicU64::new(0),
            term: AtomicU64::new(0),
            origin: Instant::now(),
        }
    }

    /// The generation that trusted entries carry; 0 before the first one is known.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether this generation is the trusted one, its lease has not ended, and it was read in this term. The monotonic clock
    /// decides. `None` is no term.
    pub(super) fn holds(&self, generation: u64, term: Option<u64>) -> bool {
        self.generation() == generation
            && Some(self.term.load(Ordering::Acquire)) == term
            && self.nanoseconds(Instant::now()) < self.until.load(Ordering::Acquire)
    }

    /// Trusts the generation that a visit has read in this term, for `lease` from the beginning of the visit.
    ///
    /// `before` is the generation that was trusted when the visit began. If another generation has been trusted since,
    /// nothing changes, because the visit may have read an older record. Returns whether the generation is trusted now.
    pub(super) fn trust(
        &self,
        before: u64,
        generation: u64,
        visit_began: Instant,
        lease: Duration,
        term: u64,
    ) -> bool {
        let is_trusted = self
            .generation
            .compare_exchange(before, generation, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if is_trusted {
            // Until then the new generation has the old term, and is not trusted.
            self.term.store(term, Ordering::Release);
            // The later end of two leases: the visit that began first may be the one that ends last.
            self.until
                .fetch_max(self.nanoseconds(visit_began + lease), Ordering::AcqRel);
        }
        is_trusted
    }

    fn nanoseconds(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.origin);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn c58_a_generation_is_trusted_until_its_lease_ends() {
        let trust = Trust::none();
        assert!(!trust.holds(0, Some(0)), "nothing is known");
        let now = Instant::now();
        assert!(trust.trust(0, 7, now, LONG, 0));
        assert!(trust.holds(7, Some(0)));
        assert!(!trust.holds(8, Some(0)));
        let ended = Trust::none();
        assert!(ended.trust(0, 7, now, Duration::ZERO, 0));
        assert!(!ended.holds(7, Some(0)), "the lease has ended");
    }

    #[test]
    fn a_generation_that_was_read_before_a_newer_one_was_trusted_is_refused() {
        let trust = Trust::none();
        assert!(trust.trust(0, 7, Instant::now(), LONG, 0));
        let before = trust.generation();
        assert!(trust.trust(before, 8, Instant::now(), LONG, 0));
        assert!(!trust.trust(before, 7, Instant::now(), LONG, 0));
        assert!(trust.holds(8, Some(0)));
    }

    #[test]
    fn c60_a_generation_is_trusted_in_the_term_of_its_server_only() {
        let trust = Trust::none();
        assert!(trust.trust(0, 7, Instant::now(), LONG, 1));
        assert!(trust.holds(7, Some(1)));
        assert!(!trust.holds(7, Some(2)), "another server is used now");
        assert!(!trust.holds(7, None), "no server may be used now");
        assert!(trust.trust(7, 8, Instant::now(), LONG, 2));
        assert!(trust.holds(8, Some(2)));
    }
}
