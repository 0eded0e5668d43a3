//! The deletions that could not be delivered to the server yet (C35).
//!
//! Come here to change how many are kept. They are delivered in `recovery`, not here.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::health::{Availability, Health};

/// The most keys that are kept. Beyond that, a new generation takes their place.
pub(super) const MAX_PENDING: usize = 10_000;

/// The deletions that the server has not received yet.
#[derive(Debug, Default)]
pub(super) struct PendingDeletions {
    /// Full keys.
    pub(super) keys: HashSet<String>,
    /// Some deletions could not be kept key by key: only a new generation replaces them.
    pub(super) everything: bool,
    /// All entries of the namespace are to be removed (C24).
    pub(super) clear: bool,
}

impl PendingDeletions {
    /// Deletions of these keys.
    pub(super) fn of_keys(keys: &[String]) -> Self {
        Self {
            keys: keys.iter().cloned().collect(),
            ..Self::default()
        }
    }

    /// The distrust of every entry stored so far, without keys.
    pub(super) fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    /// The removal of every entry.
    pub(super) fn clear() -> Self {
        Self {
            everything: true,
            clear: true,
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.everything && !self.clear
    }

    /// Adds more. Beyond [`MAX_PENDING`] keys, only `everything` is kept in their place.
    pub(super) fn add(&mut self, more: Self) {
        self.clear |= more.clear;
        self.everything |= more.everything;
        if !self.everything {
            self.keys.extend(more.keys);
            if self.keys.len() > MAX_PENDING {
                tracing::warn!(
                    limit = MAX_PENDING,
                    "too many pending cache deletions: the whole namespace will be distrusted instead"
                );
                self.everything = true;
            }
        }
        if self.everything {
            self.keys = HashSet::new();
        }
    }
}

/// The pending deletions of one backend. Deletions are kept, and the state leaves *Unavailable*, under their
/// lock, so that no deletion is kept after the last one was delivered.
#[derive(Debug, Default)]
pub(super) struct KeptDeletions(Mutex<PendingDeletions>);

impl KeptDeletions {
    /// The deletions, for as long as the state must not change.
    pub(super) fn lock(&self) -> MutexGuard<'_, PendingDeletions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps deletions for later while the backend is unavailable. Returns whether it did.
    pub(super) fn keep_if_unavailable(
        &self,
        health: &Health,
        deletions: impl FnOnce() -> PendingDeletions,
    ) -> bool {
        let mut pending = self.lock();
        if health.availability() != Availability::Unavailable {
            return false;
        }
        pending.add(deletions());
        true
    }

    /// Keeps deletions that failed, and opens the breaker: until their delivery nothing in the backend
    /// is trusted.
    pub(super) fn distrust(&self, health: &Health, deletions: PendingDeletions) {
        let mut pending = self.lock();
        pending.add(deletions);
        health.set_availability(Availability::Unavailable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(numbers: std::ops::Range<usize>) -> PendingDeletions {
        PendingDeletions::of_keys(&numbers.map(|number| number.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn c35_past_the_bound_everything_takes_the_place_of_the_keys() {
        let mut pending = PendingDeletions::default();
        assert!(pending.is_empty());
        pending.add(keys(0..MAX_PENDING));
        pending.add(keys(0..1));
        assert_eq!(
            (pending.keys.len(), pending.everything),
            (MAX_PENDING, false)
        );
        pending.add(keys(MAX_PENDING..MAX_PENDING + 1));
        assert_eq!((pending.keys.len(), pending.everything), (0, true));
        pending.add(keys(0..1));
        assert_eq!(pending.keys.len(), 0, "they are covered");
        assert!(!pending.is_empty() && !pending.clear);
    }

    #[test]
    fn c51_a_removal_of_everything_is_kept() {
        let mut pending = keys(0..1);
        pending.add(PendingDeletions::clear());
        pending.add(keys(1..2));
        assert!(pending.clear && pending.everything && pending.keys.is_empty());
    }
}
