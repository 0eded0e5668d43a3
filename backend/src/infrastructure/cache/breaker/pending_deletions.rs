//! The deletions that wait for an unavailable backend (C35).
//!
//! Come here to change how many are kept. They are delivered by `supervisor`.

use std::collections::HashSet;

/// How many keys are kept.
pub const MAX_PENDING_DELETIONS: usize = 10_000;

/// Keys to be deleted as soon as the backend can be reached.
#[derive(Debug, Default)]
pub(super) struct PendingDeletions {
    pub(in crate::infrastructure::cache) keys: HashSet<String>,
    /// Something could not be kept: only a new generation makes up for it.
    pub(super) overflowed: bool,
}

impl PendingDeletions {
    /// Keeps keys; past the bound, or with `overflowed`, only the fact that there were some.
    pub(in crate::infrastructure::cache) fn keep(&mut self, keys: &[String], overflowed: bool) {
        self.overflowed |= overflowed;
        if self.overflowed {
            return;
        }
        self.keys.extend(keys.iter().cloned());
        if self.keys.len() > MAX_PENDING_DELETIONS {
            tracing::warn!(
                limit = MAX_PENDING_DELETIONS,
                "too many pending cache deletions: the whole namespace will be distrusted instead"
            );
            self.overflowed = true;
            self.keys.clear();
        }
    }
}
