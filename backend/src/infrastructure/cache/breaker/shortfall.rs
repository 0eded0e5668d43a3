//! The refusals of an available backend to store. They do not open the breaker, because hits and deletions still work.
//!
//! Come here to change how a full server is reported: in the log once a minute, and by the health check.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::log_limits::RateLimit;

/// The time between two warnings, and the time that the health check reports a refusal.
const PERIOD: Duration = Duration::from_mins(1);

/// The last refusal to store.
#[derive(Debug)]
pub(super) struct Shortfall {
    warning: RateLimit,
    last: Mutex<Option<(Instant, String)>>,
}

impl Default for Shortfall {
    fn default() -> Self {
        Self {
            warning: RateLimit::new(PERIOD),
            last: Mutex::default(),
        }
    }
}

impl Shortfall {
    /// Records that the server has refused to store, for a reason that concerns every value.
    pub(super) fn note(&self, backend: &str, reason: &str) {
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.warning.permits() {
            tracing::warn!(
                backend,
                "The cache server refuses to store values, so every miss is answered by its handler: {reason}"
            );
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), reason));
    }

    /// The reason, if the server refused within the last minute.
    pub(super) fn current(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, reason) = last.as_ref()?;
        (at.elapsed() < PERIOD).then(|| format!("cannot store: {reason}"))
    }
}
