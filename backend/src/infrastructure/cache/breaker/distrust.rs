//! Distrusting everything stored so far, and removing it (C24).
//!
//! Come here for what a write waits for that cannot delete its keys one by one. Its answer says that no instance
//! serves anything from before, so it waits for every instance.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::guarded_backend::GuardedBackend;
use super::health::Unavailable;
use super::namespace_generation::{Intent, read_record, visit};
use super::pending_deletions::PendingDeletions;
use super::roll_call::{Progress, RollCall};

/// Between two looks at a roll call.
const PAUSE: Duration = Duration::from_millis(20);

/// Distrusts everything stored so far. Returns when no instance trusts it any more: each has learned of the new
/// generation, or its lease has ended. Where the generation cannot be set now, it is pending, and this
/// waits for the recovery, for one grace at most.
pub(in crate::infrastructure::cache) async fn distrust_everything(backend: &Arc<GuardedBackend>) {
    if backend.keep_if_away(PendingDeletions::everything) {
        return;
    }
    if begin(backend).await.is_err() {
        backend.distrust(PendingDeletions::everything());
        // With the recovery every instance has answered, or was struck off.
        let until = Instant::now() + backend.intervals.grace;
        while !backend.is_ready() && Instant::now() < until {
            sleep(PAUSE).await;
        }
    }
}

/// Removes what the namespace holds where the server can list it, and distrusts the rest. Returns when no instance
/// trusts it any more. While the backend is unavailable this is kept, and done with the recovery.
///
/// # Errors
/// Where it could not be done now, and is kept.
pub(in crate::infrastructure::cache) async fn clear(
    backend: &Arc<GuardedBackend>,
) -> Result<(), Unavailable> {
    if backend.keep_if_away(PendingDeletions::clear) {
        return Err(Unavailable(
            "the breaker is open; the cache is cleared when it is back".to_owned(),
        ));
    }
    let cleared = async {
        // The record goes with the rest, and comes back with the new generation.
        let cleared = backend.unguarded.clear(&backend.namespace).await;
        cleared.map_err(|error| Unavailable(error.to_string()))?;
        begin(backend).await
    };
    let cleared = cleared.await;
    if let Err(error) = &cleared {
        backend.health.warn(&error.0);
        backend.distrust(PendingDeletions::clear());
    }
    cleared
}

/// Begins a new generation, and waits until every instance has learned of it or trusts nothing any more.
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
                    // So that nobody waits for them again.
                    let _ = visit(backend, Intent::StrikeOff(&instances)).await;
                    return;
                }
            }
            if let Ok(Some(read)) = read_record(backend).await {
                record = read;
            }
        }
    };
    // Whatever the record says then, every lease from before has ended.
    let until = call.ends(&begun) + backend.deadline;
    let _ = timeout_at(until.into(), answered).await;
    Ok(())
}
