//! Distrusting everything stored so far, and removing it (C24).
//!
//! Come here to change how long such a write waits. A write distrusts everything where it cannot delete its keys one by
//! one. It is answered when no instance serves an earlier entry, so it waits for every instance. Single keys are
//! deleted in `deletions`, not here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::guarded_backend::GuardedBackend;
use super::health::Unavailable;
use super::namespace_generation::{RECORD_KEY, read_record, visit};
use super::next_record::Intent;
use super::pending_deletions::PendingDeletions;
use super::roll_call::{Progress, RollCall};
use crate::backends::BackendError;

/// The pause between two reads of a roll call.
const PAUSE: Duration = Duration::from_millis(20);

/// Distrusts every entry stored so far. Returns when no instance trusts them any more: each has read the
/// new generation, or its lease has ended. If the generation cannot be set now, it is pending, and this
/// waits for the recovery, for one grace at most.
pub(crate) async fn distrust_everything(backend: &Arc<GuardedBackend>) {
    if backend
        .pending
        .keep_if_unavailable(&backend.health, PendingDeletions::everything)
    {
        return;
    }
    if begin(backend).await.is_err() {
        backend
            .pending
            .distrust(&backend.health, PendingDeletions::everything());
        // A recovery ends when every instance has answered or was removed from the record.
        let until = Instant::now() + backend.intervals.grace;
        while !backend.is_ready() && Instant::now() < until {
            sleep(PAUSE).await;
        }
    }
}

/// Removes the entries of the namespace if the server can list them, and distrusts the rest. Returns
/// when no instance trusts them any more. While the backend is unavailable the removal is kept, and done
/// at the recovery.
///
/// # Errors
/// The backend is unavailable; the removal is kept.
pub(crate) async fn clear(backend: &Arc<GuardedBackend>) -> Result<(), Unavailable> {
    if backend
        .pending
        .keep_if_unavailable(&backend.health, PendingDeletions::clear)
    {
        return Err(Unavailable(
            "the breaker is open; the cache is cleared when it is back".to_owned(),
        ));
    }
    let cleared = async {
        let cleared = clear_entries(backend).await;
        cleared.map_err(|error| Unavailable(error.to_string()))?;
        begin(backend).await
    };
    let cleared = cleared.await;
    if let Err(error) = &cleared {
        backend.health.warn(&error.0);
        backend
            .pending
            .distrust(&backend.health, PendingDeletions::clear());
    }
    cleared
}

/// Removes the values of the namespace if the server can list them, but for its record: an instance that finds none doubts the
/// server, and would not read it until its next visit.
pub(super) async fn clear_entries(backend: &GuardedBackend) -> Result<(), BackendError> {
    let record = backend.own_key(RECORD_KEY);
    backend
        .unguarded
        .clear(&backend.namespace, record.full())
        .await
}

/// Begins a new generation, and waits until every instance has read it or its lease has ended.
async fn begin(backend: &GuardedBackend) -> Result<(), Unavailable> {
    let begun = visit(backend, Intent::NewGeneration).await?;
    let call = RollCall::begun(&begun);
    let own = backend.membership().id;
    let answered = async {
        let mut record = begun.clone();
        loop {
            match call.progress(&record, own) {
                Progress::Waiting => sleep(PAUSE).await,
                Progress::Complete => return,
                Progress::Overdue(instances) => {
                    // They are removed from the record, so that no later roll call waits for them.
                    let _ = visit(backend, Intent::RemoveInstances(&instances)).await;
                    return;
                }
            }
            if let Ok(Some(read)) = read_record(backend).await {
                record = read;
            }
        }
    };
    // By then every lease from before has ended, even if the record cannot be read.
    let until = call.ends(&begun) + backend.deadline;
    let _ = timeout_at(until.into(), answered).await;
    Ok(())
}
