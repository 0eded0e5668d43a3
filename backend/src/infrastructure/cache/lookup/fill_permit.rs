//! The right to fill a key: held by a reader between its claim and its value.
//!
//! Come here to see when a value is stored and when a claim is given up. How the right is obtained is in
//! `claim`.

use std::sync::Arc;
use std::time::Duration;

use super::single_flight::SingleFlight;
use crate::infrastructure::cache::backends::Version;
use crate::infrastructure::cache::breaker::GuardedBackend;
use crate::infrastructure::cache::keys::Key;
use crate::infrastructure::cache::stored::{Belonging, Entry, write_entry};

/// The right to fill a key.
pub(in crate::infrastructure::cache) struct FillPermit {
    pub(in crate::infrastructure::cache) single_flight: SingleFlight,
    /// The version of the value that must still stand under the key when it is filled.
    pub(in crate::infrastructure::cache) expected: Version,
    /// Whether that value is an entry and not a claim.
    pub(in crate::infrastructure::cache) refreshes: bool,
    pub(in crate::infrastructure::cache) generation: u64,
    pub(in crate::infrastructure::cache) belonging: Belonging,
}

impl FillPermit {
    /// Gives the entry to the waiting requests, and stores it for `lifetime` if the claim still stands.
    /// Answers whether it was stored.
    pub(in crate::infrastructure::cache) async fn fill(
        self,
        backend: &GuardedBackend,
        key: &Key,
        entry: Arc<Entry>,
        lifetime: Duration,
    ) -> bool {
        self.single_flight.answer(Arc::clone(&entry));
        if !backend.is_ready() {
            return false;
        }
        let stored = backend
            .compare_and_set(key.full(), &self.expected, write_entry(&entry), lifetime)
            .await;
        // The value is too large or the server is full. The claim ends, because requests would wait for it in vain.
        if stored.is_err() && backend.is_ready() {
            self.give_up(backend, key).await;
            return false;
        }
        matches!(stored, Ok(Some(_)))
    }

    /// Lets the waiting requests run their own handlers, and ends the claim.
    pub(in crate::infrastructure::cache) async fn give_up(
        self,
        backend: &GuardedBackend,
        key: &Key,
    ) {
        drop(self.single_flight);
        // An entry that is being refreshed stays: it was not invalidated.
        if !self.refreshes {
            backend.release(key.full().to_owned()).await;
        }
    }
}
