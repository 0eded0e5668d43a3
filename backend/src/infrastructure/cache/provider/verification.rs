//! The share of hits whose handlers run again, and the number of entries that were found stale (C50).
//!
//! Come here to change the share, the bounds or the counter. The comparison is in `middleware::verify`, not here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::breaker::LONGEST_DELETION;
use crate::stored::ValueId;

/// The most entries that a process compares at a time. Beyond that a hit is not compared.
const AT_A_TIME: usize = 4;

/// The share of hits to be compared, and the results.
#[derive(Debug)]
pub(crate) struct Verification {
    /// From 0 to 1.
    share: f64,
    /// The entries that are being compared, [`AT_A_TIME`] at most.
    running: Mutex<Vec<ValueId>>,
    stale_entries: AtomicU64,
    /// The time between two comparisons of one entry. It is the longest time that a write waits for its deletions on
    /// any instance, so a difference that lasts for longer is not explained by a deletion under way. A write whose
    /// handler runs for longer than this after its commit is reported too, because clients got the old answer all that
    /// time.
    pub(crate) settling_time: Duration,
}

/// The permit to compare an entry, until it is dropped.
#[derive(Debug)]
pub(crate) struct Comparison {
    verification: Arc<Verification>,
    entry: ValueId,
}

impl Verification {
    pub(super) fn new(percent: f64, operation_timeout: Duration) -> Self {
        Self {
            share: percent / 100.0,
            running: Mutex::default(),
            stale_entries: AtomicU64::new(0),
            settling_time: LONGEST_DELETION + operation_timeout,
        }
    }

    /// A permit to compare a hit on the entry, for the wanted share of hits; `None` while the same entry
    /// is being compared. A share of 0 costs only a comparison of two numbers.
    pub(crate) fn begin(self: &Arc<Self>, entry: ValueId) -> Option<Comparison> {
        if self.share <= 0.0 || rand::random::<f64>() >= self.share {
            return None;
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.len() >= AT_A_TIME || running.contains(&entry) {
            return None;
        }
        running.push(entry);
        Some(Comparison {
            verification: Arc::clone(self),
            entry,
        })
    }

    pub(crate) fn count_stale_entry(&self) {
        self.stale_entries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stale_entries(&self) -> u64 {
        self.stale_entries.load(Ordering::Relaxed)
    }
}

impl Drop for Comparison {
    fn drop(&mut self) {
        let running = &self.verification.running;
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|entry| *entry != self.entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c50_the_share_may_be_a_fraction_of_a_percent() {
        for (percent, least, most) in [(0.0, 0, 0), (0.5, 300, 700), (100.0, 100_000, 100_000)] {
            let verification = Arc::new(Verification::new(percent, Duration::ZERO));
            let compared = (0..100_000)
                .filter(|_| verification.begin(ValueId::random()).is_some())
                .count();
            assert!((least..=most).contains(&compared), "{percent}: {compared}");
        }
    }

    #[test]
    fn c50_few_entries_are_compared_at_a_time_and_each_once() {
        let verification = Arc::new(Verification::new(100.0, Duration::ZERO));
        let entry = ValueId::random();
        let running = verification.begin(entry).unwrap();
        assert!(verification.begin(entry).is_none());
        let others: Vec<_> = (0..10)
            .filter_map(|_| verification.begin(ValueId::random()))
            .collect();
        assert_eq!(others.len(), AT_A_TIME - 1);
        drop(running);
        assert!(verification.begin(entry).is_some());
    }
}
