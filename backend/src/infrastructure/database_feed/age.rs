//! The age of the oldest undelivered change, as a metric (C62).
//!
//! Come here to change its meaning. Each query of the table for changes returns it, so it costs no query of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{Unit, describe_gauge, gauge};

const AGE: &str = "cache_feed_oldest_change_age_seconds";

/// The age of the oldest change that has not been delivered. A clone is the same age.
#[derive(Clone, Debug, Default)]
pub struct FeedAge(Arc<Mutex<Option<Instant>>>);

impl FeedAge {
    /// Describes the metric to the recorder of the crate `metrics`.
    pub fn describe_metrics() {
        describe_gauge!(
            AGE,
            Unit::Seconds,
            "Age of the oldest change in the database that no instance has delivered yet; 0 without one. After the database \
             stops answering, the age goes on growing"
        );
    }

    /// Sets the gauge.
    pub fn record_gauge(&self) {
        let recorded = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gauge!(AGE).set(recorded.map_or(Duration::ZERO, |recorded| recorded.elapsed()));
    }

    /// Notes the age of the oldest change, or `None` without one.
    pub(super) fn note(&self, age: Option<Duration>) {
        let now = Instant::now();
        let recorded = age.map(|age| now.checked_sub(age).unwrap_or(now));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = recorded;
    }
}
