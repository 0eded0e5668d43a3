//! The intervals of recovery, all derived from the deadline of one operation (C58).
//!
//! Come here to change how long an instance waits for another. Intervals may be defined only here: the
//! inequality below must hold for every `CACHE_OPERATION_TIMEOUT_MS`.
//!
//! # The inequality
//!
//! `D` is the deadline of one operation. A *visit* reads the namespace's record, asks for the server's
//! identity and, where needed, writes the record. It fails after `D`. While the backend is trusted, an
//! instance visits `confirm` after the visit before.
//!
//! While the backend is unavailable, it is probed. A probe is two attempts at most, each within `attempt
//! = min(D, PROBE)`. The next probe begins `PROBE` after the one before or, where that takes longer, at
//! its end.
//!
//! **Lease.** An instance trusts a generation until `lease` after the *beginning* of the visit that read
//! it. Between the beginnings of two visits lie `D + confirm` at most, and the second one takes `D`. So
//! `lease ≥ confirm + 2·D`, or trust would end while every visit succeeds. The rest is for late timers.
//!
//! **Settling.** `settle ≥ max(PROBE, 2·attempt) + 2·attempt`: after this time, every instance that
//! holds pending deletions and can reach the server again has visited the record. The worst case: a
//! probe has just begun, on connections that died in the outage, and fails. The next one begins
//! `max(PROBE, 2·attempt)` after it. Its first attempt fails on one more dead connection, its second one
//! succeeds. The visit sets a new generation, which ends every entry that the pending deletions concern.
//! An instance that comes back from an outage waits for this long, since a process that started during
//! the outage may hold deletions too and is not listed yet.
//!
//! **Grace.** Another instance waits `grace` for an answer to its roll call. Then
//!
//! 1. `grace ≥ lease`: an instance that has not answered has not visited since the roll call began, so
//!    its lease has ended, and it trusts no earlier entry. This also holds for a process that is frozen
//!    and goes on later, since the lease is compared with the monotonic clock at every hit.
//! 2. `grace ≥ D + settle`: an instance whose deletion is on its way and fails has settled.
//!
//! Each instance writes its grace into the record, so instances with different settings wait for each
//! other long enough.

use std::time::Duration;

/// The time between the beginnings of two probes of an unavailable backend (C27).
pub(super) const PROBE: Duration = Duration::from_millis(500);
/// The time between the end of a visit and the beginning of the next one while the backend is trusted.
const CONFIRM: Duration = Duration::from_millis(250);

/// The times that an instance waits, and that others wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Intervals {
    /// The time between two visits while the backend is trusted.
    pub(super) confirm: Duration,
    /// The deadline of one attempt to reach an unavailable backend again.
    pub(super) attempt: Duration,
    /// The time that a generation is trusted after the beginning of the visit that read it.
    pub(super) lease: Duration,
    /// The shortest time before a recovered backend is trusted.
    pub(super) settle: Duration,
    /// The longest time that others wait for this instance's answer.
    pub(super) grace: Duration,
}

impl Intervals {
    /// The intervals that follow from the deadline of one operation.
    pub(super) fn of(deadline: Duration) -> Self {
        let attempt = deadline.min(PROBE);
        let lease = 2 * CONFIRM + 3 * deadline;
        let settle = PROBE.max(2 * attempt) + 2 * attempt;
        Self {
            confirm: CONFIRM,
            attempt,
            lease,
            settle,
            grace: lease.max(deadline + settle),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// When an instance has visited the record, counted from the moment when the server is reachable again: by
    /// the schedule of the supervisor, with these parts of a thousand of the time that an attempt may take.
    fn settled(intervals: Intervals, parts: [u32; 5]) -> Duration {
        let [first, second, since, dead, living] =
            parts.map(|part| intervals.attempt * part / 1000);
        let probe_under_way = first + second;
        let next_begins = probe_under_way.max(PROBE);
        next_begins.saturating_sub(since.min(probe_under_way)) + dead + living
    }

    proptest! {
        #[test]
        fn c58_an_instance_with_pending_deletions_has_set_a_new_generation_before_others_stop_waiting(
            milliseconds in 1_u64..=60_000,
            parts in proptest::array::uniform5(0_u32..=1000),
        ) {
            let deadline = Duration::from_millis(milliseconds);
            let intervals = Intervals::of(deadline);
            let settled = settled(intervals, parts);
            prop_assert!(settled <= intervals.settle, "{settled:?} of {intervals:?}");
            prop_assert!(deadline + settled <= intervals.grace);
        }

        #[test]
        fn c58_a_lease_outlives_the_next_visit_and_ends_before_others_stop_waiting(milliseconds in 1_u64..=60_000) {
            let deadline = Duration::from_millis(milliseconds);
            let intervals = Intervals::of(deadline);
            prop_assert!(intervals.lease >= deadline + intervals.confirm + deadline);
            prop_assert!(intervals.grace >= intervals.lease);
        }

        #[test]
        fn c35_hits_are_back_within_two_seconds_though_another_instance_died_in_the_outage(milliseconds in 1_u64..=250) {
            let intervals = Intervals::of(Duration::from_millis(milliseconds));
            prop_assert!(PROBE + intervals.grace.max(intervals.settle) <= Duration::from_secs(2));
        }

        #[test]
        fn c35_hits_are_back_within_the_time_that_the_page_outages_names_for_longer_deadlines(milliseconds in 251_u64..=60_000) {
            let deadline = Duration::from_millis(milliseconds);
            let intervals = Intervals::of(deadline);
            let usual = Duration::from_millis(2500);
            prop_assert!(PROBE + intervals.settle <= usual);
            let after_a_death = (deadline + usual).max(3 * deadline + Duration::from_secs(1));
            prop_assert!(PROBE + intervals.grace <= after_a_death);
        }
    }
}
