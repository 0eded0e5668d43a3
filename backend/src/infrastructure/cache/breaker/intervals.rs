//! The intervals of recovery, all derived from the deadline of one operation (C58).
//!
//! Come here to change how long an instance waits for another. Do not write an interval anywhere else: the
//! inequality below must hold for every `CACHE_OPERATION_TIMEOUT_MS`.
//!
//! # The inequality
//!
//! `D` is the deadline. A *visit* reads the namespace's record, asks for the server's identity and, where
//! needed, writes the record. It takes `D` at most, then it has failed. An instance visits:
//!
//! - while the backend is unavailable, every `probe` or, where that takes longer, as soon as the probe before
//!   has ended. A probe is two visits at most, so it takes `2·D`.
//! - while the backend is trusted, `confirm` after the visit before.
//!
//! **Lease.** An instance trusts a generation until `lease` after the *beginning* of the visit that read it.
//! Between the beginnings of two visits lie `D + confirm` at most, and the second one takes `D`. So
//! `lease ≥ confirm + 2·D`, or trust would end while every visit succeeds. The rest is for late timers.
//!
//! **Grace.** Another instance waits `grace` for an answer to its roll call. Then
//!
//! 1. `grace ≥ lease`: an instance that has not answered has not visited since the roll call began, so its
//!    lease has ended. It trusts nothing from before. This also holds for a process that is frozen
//!    and goes on later, since the lease is compared with the monotonic clock at every hit.
//! 2. `grace ≥ max(probe, 2·D) + 2·D`: an instance that holds pending deletions and can reach the
//!    server again has answered. The worst case: a probe has just begun, on connections that died in the
//!    outage, and fails. The next one begins `max(probe, 2·D)` after it. Its first visit fails
//!    on one more dead connection, its second one succeeds: `2·D`. With its answer the instance sets a new
//!    generation, which ends everything that its pending deletions are about.
//!
//! Each instance writes its grace into the record, so instances with different settings wait for each other
//! long enough.

use std::time::Duration;

/// How often an unavailable backend is probed, unless a probe takes longer (C27).
const PROBE: Duration = Duration::from_millis(500);
/// Between the end of a visit and the beginning of the next one while the backend is trusted.
const CONFIRM: Duration = Duration::from_millis(250);

/// How long an instance waits, and how long others wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::infrastructure::cache) struct Intervals {
    /// Between the beginnings of two probes, where the first one ends in time.
    pub(super) probe: Duration,
    /// Between two visits while the backend is trusted.
    pub(super) confirm: Duration,
    /// How long a generation is trusted after the beginning of the visit that read it.
    pub(super) lease: Duration,
    /// How long others wait for this instance's answer.
    pub(super) grace: Duration,
}

impl Intervals {
    /// The intervals that follow from the deadline of one operation.
    pub(super) fn of(deadline: Duration) -> Self {
        Self {
            probe: PROBE,
            confirm: CONFIRM,
            lease: 2 * CONFIRM + 3 * deadline,
            grace: PROBE.max(2 * deadline) + 3 * deadline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// When an instance answers, counted from the moment when the server is reachable again: by the
    /// schedule of the supervisor, with these durations of its visits.
    fn answered(
        intervals: Intervals,
        probe_under_way: [u64; 2],
        since: u64,
        next: [u64; 2],
    ) -> Duration {
        let [first, second] = probe_under_way.map(Duration::from_micros);
        let began = Duration::from_micros(since).min(first + second);
        let ends = (first + second).max(intervals.probe);
        let [dead, living] = next.map(Duration::from_micros);
        ends.saturating_sub(began) + dead + living
    }

    proptest! {
        #[test]
        fn c58_an_instance_with_pending_deletions_answers_within_its_grace(
            milliseconds in 1_u64..=60_000,
            parts in proptest::array::uniform5(0_u64..=1000),
        ) {
            let intervals = Intervals::of(Duration::from_millis(milliseconds));
            // Every visit takes a part of its deadline.
            let [first, second, since, dead, living] = parts.map(|part| part * milliseconds);
            let answered = answered(intervals, [first, second], since, [dead, living]);
            prop_assert!(answered <= intervals.grace, "{answered:?} of {intervals:?}");
        }

        #[test]
        fn c58_a_lease_outlives_the_next_visit_and_ends_before_others_stop_waiting(milliseconds in 1_u64..=60_000) {
            let deadline = Duration::from_millis(milliseconds);
            let intervals = Intervals::of(deadline);
            prop_assert!(intervals.lease >= deadline + intervals.confirm + deadline);
            prop_assert!(intervals.grace >= intervals.lease);
        }
    }

    #[test]
    fn c35_hits_are_back_within_two_seconds_though_another_instance_died_in_the_outage() {
        let intervals = Intervals::of(Duration::from_millis(250));
        assert!(intervals.probe + intervals.grace <= Duration::from_secs(2));
    }
}
