//! Every operation under its deadline: its time is measured, and its result reported to the breaker.
//!
//! Come here to change what counts as a failure. The operations themselves are in `guarded_backend`, `deletions` and `counters`,
//! the states in `health`.

use std::future::Future;
use std::time::Instant;

use tokio::time::timeout;

use super::guarded_backend::GuardedBackend;
use super::health::{Availability, Unavailable};
use crate::backends::BackendError;
use crate::measurements::Operation;

impl GuardedBackend {
    /// Runs one operation under the deadline, and reports its result to the breaker.
    pub(super) async fn observe<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, Unavailable> {
        let began = Instant::now();
        let late = |_| Err(BackendError::no_answer_within(self.deadline));
        let result = timeout(self.deadline, work).await.unwrap_or_else(late);
        self.times.record(operation, began, &result);
        self.note(result)
    }

    /// Waits for a look-up, with a deadline. Redis and Memcached set the deadline themselves, in `backends::second_attempt`, where one timer
    /// serves all look-ups of a batch; see [`CacheBackend::limits_look_ups`](crate::backends::CacheBackend).
    pub(super) async fn observe_look_up<T>(
        &self,
        look_up: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, Unavailable> {
        if self.unguarded.limits_look_ups() {
            let began = Instant::now();
            let result = look_up.await;
            self.times.record(Operation::Get, began, &result);
            self.note(result)
        } else {
            self.observe(Operation::Get, look_up).await
        }
    }

    /// Reports the result of an operation to the breaker.
    pub(super) fn note<T>(&self, result: Result<T, BackendError>) -> Result<T, Unavailable> {
        match result {
            Ok(value) => {
                self.health.succeeded();
                Ok(value)
            }
            // The server is available: it refused this one value, or has it no more.
            Err(
                error @ (BackendError::NotStored(_)
                | BackendError::Moving(_)
                | BackendError::PatternMatchingNotSupported(_)),
            ) => Err(Unavailable(error.to_string())),
            Err(BackendError::CannotStore(reason)) => {
                self.shortfall.note(&self.registered_name, &reason);
                Err(Unavailable(reason))
            }
            Err(BackendError::Unavailable(error)) => {
                self.health.failed(&error);
                Err(Unavailable(error))
            }
        }
    }

    /// Every state, and whether the backend is in it.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let current = self.availability() as usize;
        let names = Availability::NAMES.into_iter().enumerate();
        names.map(move |(number, name)| (name, number == current))
    }

    /// The number of deletions that the server has not received yet. Those of everything count as one.
    pub(crate) fn pending_deletions(&self) -> usize {
        let pending = self.pending.lock();
        pending.keys.len() + usize::from(pending.everything || pending.clear)
    }

    /// The number of values that arrived under a key other than their own (C63).
    pub(crate) fn values_of_other_keys(&self) -> u64 {
        self.out_of_step.count()
    }
}
