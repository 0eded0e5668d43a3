//! Warnings that must not flood the log: at most one a period, or one a route.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets something through at most once a period.
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

    /// Whether it is time again; if so, the period starts anew.
    pub(super) fn permits(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < self.period) {
            return false;
        }
        *last = Some(Instant::now());
        true
    }
}

/// Lets each text through once. The texts name routes, so there are few; past a bound none passes.
#[derive(Debug, Default)]
pub(super) struct Once(Mutex<HashSet<String>>);

impl Once {
    const MAX: usize = 1000;

    /// Whether the text is new.
    pub(super) fn permits(&self, text: &str) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= Self::MAX || seen.contains(text) {
            return false;
        }
        seen.insert(text.to_owned())
    }
}
