//! Looking at a backend for operators: listing, the log of events, and its state.
//!
//! Come here to change how long an operator waits. Nothing here changes a value that a request sees, and no failure here
//! opens the breaker.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::guarded_backend::GuardedBackend;
use super::health::{Availability, Unavailable};
use super::namespace_generation::read_record;
use crate::backends::{BackendError, Listing};

/// The longest time of one part of a list, which takes several commands.
const LIST: Duration = Duration::from_secs(2);

/// The deletions that are pending for a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PendingCount {
    /// Single keys.
    pub(crate) keys: usize,
    /// Whether the whole namespace will be distrusted.
    pub(crate) everything: bool,
}

impl GuardedBackend {
    /// A part of the keys with this full prefix; see `CacheBackend::list`.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<Option<Listing>, Unavailable> {
        let part = self.unguarded.list(prefix, cursor, limit);
        self.bounded(LIST, part).await
    }

    /// The generation that the instances trust now, from the server; `None` before the first instance.
    pub(crate) async fn recorded_generation(&self) -> Result<Option<u64>, Unavailable> {
        let record = read_record(self).await?;
        Ok(record.map(|record| record.generation))
    }

    /// Appends records to the log under a full key.
    pub(crate) async fn append_to_log(
        &self,
        key: &str,
        records: &[Bytes],
        most: usize,
    ) -> Result<(), Unavailable> {
        let appended = self.unguarded.append_to_log(key, records, most);
        self.bounded(self.deadline, appended).await
    }

    /// The newest records of the log under a full key.
    pub(crate) async fn read_log(&self, key: &str, most: usize) -> Result<Vec<Bytes>, Unavailable> {
        self.bounded(LIST, self.unguarded.read_log(key, most)).await
    }

    /// The deletions that are kept for the server.
    pub(crate) fn pending_count(&self) -> PendingCount {
        let pending = self.pending.lock();
        PendingCount {
            keys: pending.keys.len(),
            everything: pending.everything || pending.clear,
        }
    }

    async fn bounded<T>(
        &self,
        limit: Duration,
        operation: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, Unavailable> {
        if self.availability() == Availability::Unavailable {
            return Err(Unavailable(format!(
                "{} is unavailable",
                self.registered_name
            )));
        }
        let late = |_| Err(BackendError::no_answer_within(limit));
        let result = timeout(limit, operation).await.unwrap_or_else(late);
        result.map_err(|error| Unavailable(error.to_string()))
    }
}
