//! Warnings that must not flood the log: at most one in a period, or one for a route.
//!
//! Come here to add a limit. Nothing is logged here.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Permits one event in each period.
#[derive(Debug)]
pub(super) struct RateLimit {
    period: Duration,
    last: Mutex<Option<Instant>>,
}

impl RateLimit {
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            last: Mutex::new(None),
        }
    }

    /// Whether the period has passed; if so, the next period starts.
    pub(super) fn permits(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < self.period) {
            return false;
        }
        *last = Some(Instant::now());
        true
    }
}

/// Permits each text once. The texts name routes, so there are few. After 1000 texts none is permitted.
#[derive(Debug, Default)]
pub(super) struct Once(Mutex<HashSet<String>>);

impl Once {
    const MAX: usize = 1000;

    /// Whether the text is permitted.
    pub(super) fn permits(&self, text: &str) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= Self::MAX || seen.contains(text) {
            return false;
        }
        seen.insert(text.to_owned())
    }
}
