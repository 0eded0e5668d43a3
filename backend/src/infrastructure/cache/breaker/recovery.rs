//! Bringing an unavailable backend back, and leaving it at the end of the process.
//!
//! Come here to see how pending deletions are delivered. The states are described in `guarded_backend`,
//! the intervals in `intervals`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::distrust::clear_entries;
use super::guarded_backend::GuardedBackend;
use super::health::{Availability, Unavailable};
use super::namespace_generation::{visit, visit_until};
use super::next_record::{Intent, VisitError};
use super::pending_deletions::PendingDeletions;
use super::roll_call::RollCall;
use crate::backends::BackendError;
use crate::measurements::Operation;

/// The number of deletions that are delivered under one deadline.
const DELIVERY_BATCH: usize = 500;
/// The pause between two attempts to deliver at the end of the process.
const PAUSE: Duration = Duration::from_millis(100);
/// The most keys that the log names at the end of the process.
const MAX_NAMED: usize = 20;

/// Registers this instance and begins a roll call: the first visit of a process.
pub(super) async fn join(backend: &Arc<GuardedBackend>) -> Result<RollCall, Unavailable> {
    let record = match visit(backend, Intent::CallRoll).await {
        // The server has restarted or was replaced, so its entries may be old.
        Err(VisitError::OtherServer) => visit(backend, Intent::NewGeneration).await?,
        // Everything is a pending deletion now. At once, so that instances of the other list meet this one.
        Err(VisitError::OtherList) => return recover(backend).await,
        joined => joined?,
    };
    // The lock is held, so that no deletion becomes pending after the state has changed.
    let pending = backend.pending.lock();
    if pending.is_empty() {
        backend
            .health
            .advance(Availability::Unavailable, Availability::Recovering);
        Ok(RollCall::begun(&record))
    } else {
        Err(Unavailable("deletions became pending meanwhile".to_owned()))
    }
}

/// Brings an unavailable backend back: distrusts its entries, then delivers the pending deletions.
pub(super) async fn recover(backend: &Arc<GuardedBackend>) -> Result<RollCall, Unavailable> {
    let until = Instant::now() + backend.intervals.attempt;
    is_reachable(backend, until).await?;
    // From here on deletions are sent at once. Otherwise new ones would become pending as fast as old ones are
    // delivered.
    let taken = Taken::from(backend);
    // This comes before the deletions: it ends every entry that they concern, and it answers other instances' roll
    // calls.
    let record = visit_until(backend, Intent::NewGeneration, until).await?;
    let call = RollCall::begun(&record).lasting_at_least(backend.intervals.settle);
    let keys: Vec<String> = taken.deletions.keys.iter().cloned().collect();
    for batch in keys.chunks(DELIVERY_BATCH) {
        let deleted = backend.unguarded.delete(batch);
        backend.observe(Operation::Delete, deleted).await?;
    }
    if taken.deliver().clear {
        // The removal runs in the background. It takes long on a large server, and the new generation has already ended
        // the entries.
        let backend_of_task = Arc::clone(backend);
        backend.tasks.spawn(async move {
            let backend = backend_of_task;
            if let Err(error) = clear_entries(&backend).await {
                backend
                    .health
                    .warn(&format!("the namespace was not cleared: {error}"));
            }
        });
    }
    Ok(call)
}

/// Asks the server for a sign of life.
async fn is_reachable(backend: &GuardedBackend, until: Instant) -> Result<(), Unavailable> {
    let identity = backend.unguarded.server_identity();
    let asked = backend.observe(Operation::Probe, identity);
    match timeout_at(until.into(), asked).await {
        Ok(answered) => answered.map(drop),
        Err(_) => backend.note(Err(BackendError::no_answer_within(
            backend.intervals.attempt,
        ))),
    }
}

/// Pending deletions that are being delivered. If a `Taken` is dropped before the delivery, its deletions are pending
/// again, and the backend is unavailable.
struct Taken<'a> {
    backend: &'a GuardedBackend,
    deletions: PendingDeletions,
    delivered: bool,
}

impl<'a> Taken<'a> {
    fn from(backend: &'a GuardedBackend) -> Self {
        let mut pending = backend.pending.lock();
        backend.health.set_availability(Availability::Recovering);
        let deletions = std::mem::take(&mut *pending);
        Self {
            backend,
            deletions,
            delivered: false,
        }
    }

    fn deliver(mut self) -> PendingDeletions {
        self.delivered = true;
        // With the lock: a deletion that fails now is pending before or afterwards.
        let _pending = self.backend.pending.lock();
        self.backend.health.deletions_were_delivered();
        std::mem::take(&mut self.deletions)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.delivered {
            let deletions = std::mem::take(&mut self.deletions);
            let backend = self.backend;
            backend.pending.distrust(&backend.health, deletions);
        }
    }
}

/// Delivers the pending deletions, and removes this instance from the record. Returns at `until` at the latest.
/// Deletions that cannot be delivered are named in the log. The record then still lists this instance, so the next
/// process that starts trusts no earlier entry. The supervisor must have ended.
pub(super) async fn leave(backend: &Arc<GuardedBackend>, until: Instant) {
    let is_registered = backend.generation() != 0;
    let has_pending = !backend.pending.lock().is_empty();
    if !is_registered && !has_pending {
        return;
    }
    let until = if has_pending {
        until
    } else {
        // If it fails, only the hits of the next process are lost.
        until.min(Instant::now() + backend.intervals.grace)
    };
    let attempts = async {
        while !try_to_leave(backend).await {
            sleep(PAUSE).await;
        }
    };
    if timeout_at(until.into(), attempts).await.is_err() {
        name_pending(backend);
    }
}

async fn try_to_leave(backend: &Arc<GuardedBackend>) -> bool {
    let has_pending = !backend.pending.lock().is_empty();
    // The error is in the log already, at most once a second.
    if has_pending && recover(backend).await.is_err() {
        return false;
    }
    match visit(backend, Intent::Leave).await {
        Err(VisitError::OtherServer) => {
            recover(backend).await.is_ok() && visit(backend, Intent::Leave).await.is_ok()
        }
        left => left.is_ok(),
    }
}

/// Logs the deletions that are lost with the process.
fn name_pending(backend: &GuardedBackend) {
    let pending = backend.pending.lock();
    let mut keys: Vec<&str> = pending.keys.iter().map(String::as_str).collect();
    keys.sort_unstable();
    let count = keys.len();
    keys.truncate(MAX_NAMED);
    tracing::warn!(
        backend = backend.registered_name,
        pending = count,
        everything = pending.everything,
        keys = keys.join(" "),
        "pending cache deletions were not delivered: the next instance that starts distrusts the namespace"
    );
}
