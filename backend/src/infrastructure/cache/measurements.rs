//! What is measured in the cache (C62), through the facade of the crate `metrics`: look-ups of routes, and operations of
//! backends.
//!
//! Come here to add a measurement. A label never contains a key, a caller or a path: the number of series must not depend on
//! requests. Handles are made once and kept, since finding one costs more than counting. Without a recorder, handles do
//! nothing. Gauges are set when they are asked for, by [`Cache::record_gauges`](super::Cache::record_gauges).

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

use super::cache_status::Outcome;

/// Counts look-ups of a route.
const LOOKUPS: &str = "cache_lookups_total";
/// The time of one operation, with the wait for a connection.
const OPERATIONS: &str = "cache_operation_duration_seconds";
/// Counts changes of a backend's state.
const TRANSITIONS: &str = "cache_backend_transitions_total";

/// Describes the metrics of this file to the recorder.
pub(super) fn describe() {
    describe_counter!(LOOKUPS, "Reads of cached routes, by their outcome");
    describe_histogram!(
        OPERATIONS,
        Unit::Seconds,
        "Time of an operation on a cache backend; what is found in this process is no operation"
    );
    describe_counter!(
        TRANSITIONS,
        "Changes of a cache backend to this state: `unavailable` is an open breaker"
    );
}

/// The look-ups of one route by one worker. Counters are found at the first outcome of their kind.
#[derive(Debug, Default)]
pub(super) struct LookUps([OnceLock<Counter>; Outcome::LABELS.len()]);

impl LookUps {
    /// Counts a look-up. `route` is the template of the path; it is asked for once.
    pub(super) fn count(&self, outcome: Outcome, route: impl FnOnce() -> Option<String>) {
        let Some(index) = outcome.label_index() else {
            return;
        };
        let find = || {
            let (outcome, detail) = Outcome::LABELS[index];
            let route = route().unwrap_or_default();
            counter!(LOOKUPS, "route" => route, "cache_outcome" => outcome, "cache_detail" => detail)
        };
        self.0[index].get_or_init(find).increment(1);
    }
}

/// An operation of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    GetOrCreate,
    CompareAndSet,
    Set,
    Delete,
    DeletePattern,
    Count,
    /// The question for the server's identity, which is the health probe too.
    Probe,
}

impl Operation {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Get, "get"),
        (Self::GetOrCreate, "get-or-create"),
        (Self::CompareAndSet, "compare-and-set"),
        (Self::Set, "set"),
        (Self::Delete, "delete"),
        (Self::DeletePattern, "delete-pattern"),
        (Self::Count, "count"),
        (Self::Probe, "probe"),
    ];
}

/// The times of the operations of one backend.
#[derive(Debug)]
pub(super) struct OperationTimes([[Histogram; 2]; Operation::ALL.len()]);

impl OperationTimes {
    pub(super) fn new(backend: &str) -> Self {
        let of = |operation: &'static str, result: &'static str| {
            let backend = backend.to_owned();
            histogram!(OPERATIONS, "backend" => backend, "operation" => operation, "result" => result)
        };
        Self(Operation::ALL.map(|(_, name)| [of(name, "ok"), of(name, "error")]))
    }

    /// Records an operation that began at this time and ends now.
    pub(super) fn record<T, E>(&self, operation: Operation, began: Instant, result: &Result<T, E>) {
        let elapsed: Duration = began.elapsed();
        self.0[operation as usize][usize::from(result.is_err())].record(elapsed);
    }
}

/// The changes of one backend to each of its states.
#[derive(Debug)]
pub(super) struct Transitions<const STATES: usize>([Counter; STATES]);

impl<const STATES: usize> Transitions<STATES> {
    pub(super) fn new(backend: &str, states: [&'static str; STATES]) -> Self {
        Self(states.map(|state| {
            let backend = backend.to_owned();
            counter!(TRANSITIONS, "backend" => backend, "state" => state)
        }))
    }

    /// Counts a change to the state of this number.
    pub(super) fn count(&self, state: usize) {
        if let Some(counter) = self.0.get(state) {
            counter.increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c62_operations_are_numbered_in_the_order_of_their_names() {
        for (index, (operation, _)) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, index);
        }
    }
}
