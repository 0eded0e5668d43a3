//! Values that arrive under another key than their own (C63): replies are out of step with commands, by a fault of a
//! client or a proxy, or a value was copied.
//!
//! Come here to change how they are reported. What becomes of the connection is decided by the backend.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::log_limits::RateLimit;

/// The number of such values, and the limit of their errors in the log.
#[derive(Debug)]
pub(super) struct OutOfStep {
    values: AtomicU64,
    warning: RateLimit,
}

impl Default for OutOfStep {
    fn default() -> Self {
        Self {
            values: AtomicU64::new(0),
            warning: RateLimit::new(Duration::from_secs(1)),
        }
    }
}

impl OutOfStep {
    /// The number of such values since the start.
    pub(super) fn count(&self) -> u64 {
        self.values.load(Ordering::Relaxed)
    }

    /// Counts a value, and logs an error at most once a second.
    pub(super) fn note(&self, backend: &str, key: &str) {
        let count = self.values.fetch_add(1, Ordering::Relaxed) + 1;
        if self.warning.permits() {
            tracing::error!(
                backend,
                key,
                count,
                "the cache server answered with the value of another key: it is not used, and the connection is closed"
            );
        }
    }
}
