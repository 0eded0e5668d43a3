//! The right to fill a key: held by a reader between its claim and its value.
//!
//! Come here to see when a value is stored and when a claim is given up. How the right is obtained is in
//! `claim`.

use std::sync::Arc;
use std::time::Duration;

use super::single_flight::SingleFlight;
use crate::backends::Version;
use crate::breaker::GuardedBackend;
use crate::keys::Key;
use crate::stored::{Belonging, Entry, write_entry};

/// The right to fill a key.
pub(crate) struct FillPermit {
    pub(crate) single_flight: SingleFlight,
    /// The version of the value that must still stand under the key when it is filled.
    pub(crate) expected: Version,
    /// Whether that value is an entry and not a claim.
    pub(crate) refreshes: bool,
    pub(crate) generation: u64,
    pub(crate) belonging: Belonging,
}

impl FillPermit {
    /// Gives the entry to the waiting requests, and stores it for `lifetime` if the claim still stands.
    /// Answers whether it was stored.
    pub(crate) async fn fill(
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
    pub(crate) async fn give_up(self, backend: &GuardedBackend, key: &Key) {
        drop(self.single_flight);
        // An entry that is being refreshed stays: it was not invalidated.
        if !self.refreshes {
            backend.release(key.full().to_owned()).await;
        }
    }
}
