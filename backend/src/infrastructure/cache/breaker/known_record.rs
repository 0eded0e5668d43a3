//! The namespace's record as this instance saw it at its last visit.
//!
//! Come here to change how often an unchanged record is written again. When the record is visited is decided in
//! `supervisor`; its content is decided in `namespace_generation`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::stored::Member;

/// The time after which an instance writes an unchanged record again. It is far shorter than the lifetime of the record
/// (30 days), so the record of a namespace in use never expires. Without its record every entry is distrusted.
const PROLONGED_EVERY: Duration = Duration::from_hours(24);

/// The last seen state of the record.
#[derive(Debug, Default)]
pub(super) struct KnownRecord(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The instances that the newest record listed.
    members: Vec<Member>,
    /// The time when this instance wrote the record last.
    written: Option<Instant>,
}

impl KnownRecord {
    /// The instances that the newest record listed.
    pub(super) fn members(&self) -> Vec<Member> {
        self.known().members.clone()
    }

    /// Whether the record has to be written although nothing has changed.
    pub(super) fn must_be_prolonged(&self) -> bool {
        let written = self.known().written;
        written.is_none_or(|written| written.elapsed() >= PROLONGED_EVERY)
    }

    /// Remembers a visit: the listed instances, and whether this instance wrote the record.
    pub(super) fn remember(&self, members: &[Member], was_written: bool) {
        let mut known = self.known();
        members.clone_into(&mut known.members);
        if was_written {
            known.written = Some(Instant::now());
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::backends::MemoryBackend;
    use crate::breaker::guarded_backend::GuardedBackend;
    use crate::breaker::namespace_generation::{RECORD_KEY, visit};
    use crate::breaker::next_record::Intent;
    use crate::watchdog;

    async fn stored(backend: &GuardedBackend) -> Bytes {
        let found = backend
            .unguarded
            .get(backend.own_key(RECORD_KEY).full())
            .await;
        found.unwrap().expect("a record").value
    }

    #[tokio::test]
    async fn c35_the_record_of_a_quiet_namespace_is_written_again_before_the_server_drops_it() {
        watchdog::watch();
        let backend = GuardedBackend::new(
            "default".to_owned(),
            Arc::new(MemoryBackend::new(1 << 20)),
            Duration::from_secs(5),
            String::new(),
            TaskTracker::new(),
        );
        visit(&backend, Intent::CallRoll).await.unwrap();
        let first = stored(&backend).await;
        visit(&backend, Intent::Confirm).await.unwrap();
        assert_eq!(stored(&backend).await, first, "it was written just now");
        backend.record.known().written = Instant::now().checked_sub(PROLONGED_EVERY);
        let generation = backend.generation();
        visit(&backend, Intent::Confirm).await.unwrap();
        assert_ne!(
            stored(&backend).await,
            first,
            "each write has a head of its own"
        );
        assert_eq!(
            backend.generation(),
            generation,
            "its entries are still trusted"
        );
        assert!(!backend.record.must_be_prolonged());
    }
}
