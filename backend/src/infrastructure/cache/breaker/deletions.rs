//! Deletions: at once while the backend can be reached, kept for later while it cannot (C35).
//!
//! Come here to change how long a write waits for its deletions. The deletions that are kept are in
//! `pending_deletions`, not here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::distrust::distrust_everything;
use super::guarded_backend::GuardedBackend;
use super::health::Unavailable;
use super::pending_deletions::PendingDeletions;
use crate::backends::BackendError;
use crate::measurements::Operation;

/// The longest time that a deletion may keep a writer waiting before it goes on in the background (C17).
pub(crate) const LONGEST_DELETION: Duration = Duration::from_secs(5);

/// The number of keys that are deleted under one deadline.
const DELETE_BATCH: usize = 500;

/// The reason that a deletion by pattern was not done.
#[derive(Debug)]
pub(crate) enum DeletionError {
    PatternMatchingNotSupported(&'static str),
    Unavailable(Unavailable),
}

/// Deletes full keys. After `Ok`, no reader gets their entries.
///
/// # Errors
/// A deletion could not be delivered now. It is kept, and until its delivery this process serves nothing from the backend
/// (C35). Another process that reaches the backend all the while may serve the entries until then, unless the database
/// feed has the deletion delivered by that process (C53).
pub(crate) async fn invalidate(
    backend: &GuardedBackend,
    keys: Vec<String>,
) -> Result<(), Unavailable> {
    for batch in keys.chunks(DELETE_BATCH) {
        if let Err(error) = delete_batch(backend, batch).await {
            backend
                .pending
                .distrust(&backend.health, PendingDeletions::of_keys(&keys));
            return Err(error);
        }
    }
    Ok(())
}

/// Deletes the keys that match the full pattern. A deletion that takes longer than [`LONGEST_DELETION`] goes on in the
/// background. Where it fails, every entry is distrusted, within the same time.
pub(crate) async fn invalidate_pattern(
    backend: &Arc<GuardedBackend>,
    pattern: String,
) -> Result<(), DeletionError> {
    if backend
        .pending
        .keep_if_unavailable(&backend.health, PendingDeletions::everything)
    {
        return Err(DeletionError::Unavailable(Unavailable(
            "the breaker is open".to_owned(),
        )));
    }
    let task = Arc::clone(backend);
    let shown = pattern.clone();
    let deletion = backend.tasks.spawn(async move {
        let began = Instant::now();
        let result = task.unguarded.delete_pattern(&pattern).await;
        task.times.record(Operation::DeletePattern, began, &result);
        if let Err(
            BackendError::Unavailable(_)
            | BackendError::CannotStore(_)
            | BackendError::Moving(_)
            | BackendError::NotStored(_),
        ) = &result
        {
            // Some keys may still be stored, so no entry may be an answer any more.
            distrust_everything(&task).await;
        }
        result
    });
    match timeout(LONGEST_DELETION, deletion).await {
        Ok(Ok(Ok(deleted))) => {
            tracing::debug!(pattern = shown, deleted, "deleted by pattern");
            Ok(())
        }
        Ok(Ok(Err(BackendError::PatternMatchingNotSupported(kind)))) => {
            Err(DeletionError::PatternMatchingNotSupported(kind))
        }
        Ok(Ok(Err(error))) => {
            backend.health.warn(&error.to_string());
            Err(DeletionError::Unavailable(Unavailable(error.to_string())))
        }
        Ok(Err(panicked)) => {
            backend
                .pending
                .distrust(&backend.health, PendingDeletions::everything());
            Err(DeletionError::Unavailable(Unavailable(
                panicked.to_string(),
            )))
        }
        Err(_) => {
            tracing::warn!(
                pattern = shown,
                "deletion by pattern takes over 5 s and goes on in the background"
            );
            Ok(())
        }
    }
}

/// One batch, within one deadline: tried on one connection, and on another when the first fails or
/// half of the time has passed.
async fn delete_batch(backend: &GuardedBackend, keys: &[String]) -> Result<(), Unavailable> {
    if backend
        .pending
        .keep_if_unavailable(&backend.health, || PendingDeletions::of_keys(keys))
    {
        return Err(Unavailable("the breaker is open".to_owned()));
    }
    let both = async {
        let began = Instant::now();
        let first = backend.unguarded.delete(keys);
        tokio::pin!(first);
        let early = timeout(backend.deadline / 2, &mut first).await;
        match early {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => {
                // The server may have restarted between the two attempts.
                backend.health.doubt();
                backend.unguarded.delete_again(keys, began).await
            }
            Err(_) => {
                let second = backend.unguarded.delete_again(keys, began);
                tokio::pin!(second);
                tokio::select! {
                    result = &mut first => match result { Ok(()) => Ok(()), Err(_) => second.await },
                    result = &mut second => match result { Ok(()) => Ok(()), Err(_) => first.await },
                }
            }
        }
    };
    backend.observe(Operation::Delete, both).await
}
