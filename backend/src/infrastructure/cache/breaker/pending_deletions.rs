//! The deletions that a sick backend still has to be told (C35).

use std::collections::HashSet;

/// How many undelivered keys are kept.
pub const MAX_UNDELIVERED: usize = 10_000;

/// What a sick backend has still to be told.
#[derive(Debug, Default)]
pub(super) struct Undelivered {
    pub(in crate::infrastructure::cache) keys: HashSet<String>,
    /// Something could not be kept: only a new generation makes up for it.
    pub(super) overflowed: bool,
}

impl Undelivered {
    /// Keeps keys; past the bound, or with `overflowed`, only the fact that there were some.
    pub(in crate::infrastructure::cache) fn keep(&mut self, keys: &[String], overflowed: bool) {
        self.overflowed |= overflowed;
        if self.overflowed {
            return;
        }
        self.keys.extend(keys.iter().cloned());
        if self.keys.len() > MAX_UNDELIVERED {
            tracing::warn!(
                limit = MAX_UNDELIVERED,
                "too many undelivered cache deletions: the whole namespace will be distrusted instead"
            );
            self.overflowed = true;
            self.keys.clear();
        }
    }
}
