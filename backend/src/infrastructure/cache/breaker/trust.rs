//! The generation that this instance trusts, and the end of its lease.
//!
//! Come here to see why a process that was frozen or cut off serves no old entry: its lease has ended. A *visit* is one read
//! and, where needed, one write of the namespace's record, in `namespace_generation`. Each visit begins a new lease there.
//! The length of a lease is in `intervals`. Neither is decided here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A generation and its lease.
#[derive(Debug)]
pub(super) struct Trust {
    generation: AtomicU64,
    /// The end of the lease, in nanoseconds since `origin`.
    until: AtomicU64,
    origin: Instant,
}

impl Trust {
    /// No trusted generation.
    pub(super) fn none() -> Self {
        Self {
            generation: AtomicU64::new(0),
            until: AtomicU64::new(0),
            origin: Instant::now(),
        }
    }

    /// The generation that trusted entries carry; 0 before the first one is known.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether this generation is the trusted one, and its lease has not ended. The monotonic clock decides.
    pub(super) fn holds(&self, generation: u64) -> bool {
        self.generation() == generation
            && self.nanoseconds(Instant::now()) < self.until.load(Ordering::Acquire)
    }

    /// Trusts the generation that a visit has read, for `lease` from the beginning of the visit.
    ///
    /// `before` is the generation that was trusted when the visit began. If another generation has been trusted since,
    /// nothing changes, because the visit may have read an older record. Returns whether the generation is trusted now.
    pub(super) fn trust(
        &self,
        before: u64,
        generation: u64,
        visit_began: Instant,
        lease: Duration,
    ) -> bool {
        let is_trusted = self
            .generation
            .compare_exchange(before, generation, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if is_trusted {
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
        assert!(!trust.holds(0), "nothing is known");
        let now = Instant::now();
        assert!(trust.trust(0, 7, now, LONG));
        assert!(trust.holds(7));
        assert!(!trust.holds(8));
        let ended = Trust::none();
        assert!(ended.trust(0, 7, now, Duration::ZERO));
        assert!(!ended.holds(7), "the lease has ended");
    }

    #[test]
    fn a_generation_that_was_read_before_a_newer_one_was_trusted_is_refused() {
        let trust = Trust::none();
        assert!(trust.trust(0, 7, Instant::now(), LONG));
        let before = trust.generation();
        assert!(trust.trust(before, 8, Instant::now(), LONG));
        assert!(!trust.trust(before, 7, Instant::now(), LONG));
        assert!(trust.holds(8));
    }
}
