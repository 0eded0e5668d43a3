//! The near cache: copies of Redis's values in this process, for hits without a round trip
//! (`CACHE_NEAR=true`).
//!
//! The server reports every change under the namespace on a connection of its own (see
//! [`super::tracking`]). Three rules keep a copy from outliving its original:
//!
//! 1. *A value is kept only if no change of its key was reported since its look-up began.* Each key
//!    belongs to one of [`STRIPES`] counters, which every change to one of its keys moves on. The
//!    counter is read before the server is asked and compared, under the key's lock, when the value is
//!    kept. A change moves the counter first and then removes the key, under the same lock.
//! 2. *No value is kept or given while the connection is not known to work*, and no value from before
//!    its loss: values carry the number of the *session* of their look-up, and a session ends with its
//!    connection.
//! 3. *A key that this process changes is removed here before and after the change on the server*, so
//!    that its own writers never get the replaced value from here.
//!
//! Another instance may answer from before a write for as long as the server's message is under way. Claims are never
//! kept, so C33 and C34 rest on the server alone, as without a near cache.
//!
//! Come here to change when a copy is kept or given. Changes are received in `tracking`, not here.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::backends::bounded_store::Store;
use crate::backends::contract::{Found, InProcess, Version};
use crate::backends::head::{HEAD_BYTES, MAGIC};

/// The number of counters of changes. Keys share them by hash, which at worst refuses to keep a value
/// without need.
const STRIPES: usize = 1024;
/// The longest time that a value is kept. It limits the damage if the three rules have a fault.
const LAST_RESORT: Duration = Duration::from_secs(30);

/// Values of the server, kept in this process.
#[derive(Debug)]
pub(super) struct Near {
    /// Each value with the number of the session of its look-up.
    values: Store,
    changes: Vec<AtomicU64>,
    /// Odd while the server reports changes.
    session: AtomicU64,
    hasher: RandomState,
    /// The reason that the server refuses to report changes, if it does.
    refusal: Mutex<Option<String>>,
}

/// The session and the counter of a key before its look-up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    session: u64,
    changes: u64,
}

impl Near {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            values: Store::new(max_bytes),
            changes: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(),
            session: AtomicU64::new(0),
            hasher: RandomState::new(),
            refusal: Mutex::default(),
        }
    }

    /// Records whether the server refuses to report changes. A new refusal is logged.
    pub(super) fn refused(&self, reason: Option<String>) {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &reason
            && refusal.is_none()
        {
            tracing::warn!(
                backend = "redis",
                "The near cache (CACHE_NEAR) is off, since Redis refuses CLIENT TRACKING: {reason}; \
                 allow the command CLIENT, or set CACHE_NEAR=false"
            );
        }
        *refusal = reason;
    }

    /// The reason that no value is kept, if the server refuses to report changes.
    pub(super) fn refusal(&self) -> Option<String> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = refusal.as_ref()?;
        Some(format!("near cache off: {reason}"))
    }

    /// The server reports changes from now on.
    pub(super) fn begin_session(&self) {
        self.session.fetch_or(1, Ordering::SeqCst);
    }

    /// The server may have changed a value without a report: no earlier value is given again.
    pub(super) fn end_session(&self) {
        let ended = self
            .session
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |session| {
                (session & 1 == 1).then(|| session + 1)
            });
        if ended.is_ok() {
            self.values.clear();
        }
    }

    /// Every value may have changed: the session continues with another number.
    pub(super) fn changed_all(&self) {
        let renewed = self
            .session
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |session| {
                (session & 1 == 1).then(|| session + 2)
            });
        if renewed.is_ok() {
            self.values.clear();
        }
    }

    /// A key has changed.
    pub(super) fn changed(&self, key: &str) {
        self.stripe(key).fetch_add(1, Ordering::SeqCst);
        self.values.remove(key);
    }

    /// The number of values and their memory.
    pub(super) fn in_process(&self) -> InProcess {
        self.values.in_process("near")
    }

    /// The kept value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Found> {
        let kept = self.values.get(key)?;
        (kept.stamp == self.session.load(Ordering::SeqCst)).then(|| Found {
            version: Version::Head(kept.value.slice(..HEAD_BYTES)),
            value: kept.value,
        })
    }

    /// The state before a look-up on the server; `None` while the server does not report changes.
    pub(super) fn before(&self, key: &str) -> Option<Before> {
        let session = self.session.load(Ordering::SeqCst);
        let changes = self.stripe(key).load(Ordering::SeqCst);
        (session & 1 == 1).then_some(Before { session, changes })
    }

    /// Keeps an entry or generation from the server's answer, if no change of the key was reported
    /// meanwhile.
    pub(super) fn keep(&self, key: &str, found: &Found, before: Before) {
        if !is_keepable(&found.value) || !self.values.fits(key, &found.value) {
            return;
        }
        let (value, session) = (&found.value, before.session);
        self.values.put_if(key, value, session, LAST_RESORT, |_| {
            let changes = self.stripe(key).load(Ordering::SeqCst);
            changes == before.changes && self.session.load(Ordering::SeqCst) == session
        });
    }

    fn stripe(&self, key: &str) -> &AtomicU64 {
        let hash = usize::try_from(self.hasher.hash_one(key) % STRIPES as u64).unwrap_or_default();
        &self.changes[hash]
    }
}

/// Entries and generations of groups are kept; claims and the namespace's generation are not.
fn is_keepable(value: &[u8]) -> bool {
    let rest = value.get(HEAD_BYTES..).unwrap_or_default();
    value.starts_with(MAGIC)
        && !rest.is_empty()
        && !rest.starts_with(b" claim ")
        && !rest.starts_with(b" generation ")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const KEY: &str = "shop:item:1";

    fn entry(text: &str) -> Found {
        let value = Bytes::from(format!("cache/3 0123456789abcdef {text}"));
        Found {
            version: Version::Head(value.slice(..HEAD_BYTES)),
            value,
        }
    }

    fn near() -> Near {
        let near = Near::new(1_000_000);
        near.begin_session();
        near
    }

    #[test]
    fn c33_an_answer_that_a_change_has_overtaken_is_not_kept() {
        let near = near();
        let before = near.before(KEY).unwrap();
        near.changed(KEY);
        near.keep(KEY, &entry("old"), before);
        assert_eq!(near.get(KEY), None);
        let before = near.before(KEY).unwrap();
        near.keep(KEY, &entry("new"), before);
        assert_eq!(near.get(KEY), Some(entry("new")));
        near.changed(KEY);
        assert_eq!(near.get(KEY), None);
    }

    #[test]
    fn c33_nothing_is_kept_or_given_without_the_connection_nor_from_before_it_was_lost() {
        let near = near();
        let before = near.before(KEY).unwrap();
        near.keep(KEY, &entry("kept"), before);
        near.end_session();
        assert_eq!(near.get(KEY), None);
        assert!(near.before(KEY).is_none());
        near.begin_session();
        assert_eq!(near.get(KEY), None);
        near.keep(KEY, &entry("late"), before);
        assert_eq!(near.get(KEY), None, "asked for in the session before");
        let before = near.before(KEY).unwrap();
        near.keep(KEY, &entry("kept"), before);
        near.changed_all();
        assert_eq!(near.get(KEY), None);
        assert!(near.before(KEY).is_some());
    }

    #[test]
    fn claims_and_foreign_values_are_not_kept() {
        let keepable = |text: &str| is_keepable(text.as_bytes());
        assert!(keepable("cache/3 0123456789abcdef 01234567 {}\nbody"));
        assert!(keepable("cache/3 0123456789abcdef group lists\n"));
        assert!(!keepable("cache/3 0123456789abcdef claim 1 2 3\n"));
        assert!(!keepable("cache/3 0123456789abcdef generation run\n"));
        assert!(!keepable("cache/3 0123456789abcdef"));
        assert!(!keepable("foreign"));
    }
}
