//! Deletions: at once while the backend can be reached, kept for later while it cannot (C35).
//!
//! Come here to change how long a write waits. The kept deletions are in `pending_deletions`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::distrust::distrust_everything;
use super::guarded_backend::GuardedBackend;
use super::health::{Availability, Unavailable};
use super::pending_deletions::PendingDeletions;
use crate::infrastructure::cache::backends::BackendError;

/// The longest time that a deletion may keep a writer waiting before it goes on in the background (C17).
const LONGEST_DELETION: Duration = Duration::from_secs(5);

/// The number of keys that are deleted under one deadline.
const DELETE_BATCH: usize = 500;

/// The reason that a deletion by pattern was not done.
#[derive(Debug)]
pub(in crate::infrastructure::cache) enum DeletionError {
    PatternMatchingNotSupported(&'static str),
    Unavailable(Unavailable),
}

impl GuardedBackend {
    /// Deletes full keys. After this returns, no reader gets their entries. A deletion that cannot be
    /// delivered now is kept, and until its delivery this process serves nothing from the backend (C35).
    pub(in crate::infrastructure::cache) async fn invalidate(
        &self,
        keys: Vec<String>,
    ) -> Result<(), Unavailable> {
        for batch in keys.chunks(DELETE_BATCH) {
            if let Err(error) = self.delete_batch(batch).await {
                self.distrust(PendingDeletions::of_keys(&keys));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Deletes the keys that match the full pattern. A deletion that takes long goes on in the
    /// background.
    pub(in crate::infrastructure::cache) async fn invalidate_pattern(
        self: Arc<Self>,
        pattern: String,
    ) -> Result<(), DeletionError> {
        if self.keep_if_unavailable(PendingDeletions::everything) {
            return Err(DeletionError::Unavailable(Unavailable(
                "the breaker is open".to_owned(),
            )));
        }
        let backend = Arc::clone(&self);
        let shown = pattern.clone();
        let deletion = self.tasks.spawn(async move {
            let result = backend.unguarded.delete_pattern(&pattern).await;
            if let Err(
                BackendError::Unavailable(_)
                | BackendError::CannotStore(_)
                | BackendError::NotStored(_),
            ) = &result
            {
                // The keys that it did not reach are still stored, so no entry may be an answer any
                // more.
                distrust_everything(&backend).await;
            }
            result
        });
        match timeout(LONGEST_DELETION, deletion).await {
            Ok(Ok(Ok(deleted))) => {
                tracing::debug!(pattern = shown, deleted, "deleted by pattern");
                Ok(())
            }
            Ok(Ok(Err(BackendError::PatternMatchingNotSupported(backend)))) => {
                Err(DeletionError::PatternMatchingNotSupported(backend))
            }
            Ok(Ok(Err(error))) => {
                self.health.warn(&error.to_string());
                Err(DeletionError::Unavailable(Unavailable(error.to_string())))
            }
            Ok(Err(panicked)) => {
                self.distrust(PendingDeletions::everything());
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
    async fn delete_batch(&self, keys: &[String]) -> Result<(), Unavailable> {
        if self.keep_if_unavailable(|| PendingDeletions::of_keys(keys)) {
            return Err(Unavailable("the breaker is open".to_owned()));
        }
        let both = async {
            let began = Instant::now();
            let first = self.unguarded.delete(keys);
            tokio::pin!(first);
            let early = timeout(self.deadline / 2, &mut first).await;
            match early {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => {
                    // The server may have restarted in between.
                    self.health.doubt();
                    self.unguarded.delete_again(keys, began).await
                }
                Err(_) => {
                    let second = self.unguarded.delete_again(keys, began);
                    tokio::pin!(second);
                    tokio::select! {
                        result = &mut first => match result { Ok(()) => Ok(()), Err(_) => second.await },
                        result = &mut second => match result { Ok(()) => Ok(()), Err(_) => first.await },
                    }
                }
            }
        };
        self.observe(both).await
    }

    /// Keeps deletions for later while the backend is unavailable. Returns whether it did.
    pub(super) fn keep_if_unavailable(&self, deletions: impl FnOnce() -> PendingDeletions) -> bool {
        let mut pending = self.pending();
        if self.availability() != Availability::Unavailable {
            return false;
        }
        pending.add(deletions());
        true
    }

    /// Keeps deletions that failed, and opens the breaker: until their delivery no entry of the backend
    /// is trusted.
    pub(super) fn distrust(&self, deletions: PendingDeletions) {
        let mut pending = self.pending();
        pending.add(deletions);
        self.health.set_availability(Availability::Unavailable);
    }
}
