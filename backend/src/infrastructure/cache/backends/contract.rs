//! The contract of a backend: the trait that each implements, and its types.
//!
//! A backend stores bytes under keys. It knows neither HTTP nor policies. Of an entry it may use the first bytes, which are
//! unique (see [`Version::Head`] and [`CacheBackend::clear`]). The circuit breaker and recovery are in front of it, so an
//! implementation only reports errors. So are the deadlines, except where [`CacheBackend::limits_look_ups`] is true and for
//! [`CacheBackend::delete_pattern`] and [`CacheBackend::clear`], whose single commands have deadlines of their own.
//!
//! Come here to write another backend, or to add an operation. `backends::redis` lists the files that a new operation
//! needs. No implementation belongs here.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

/// A value under a key, with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The stored bytes; empty where the server's value cannot be read as bytes.
    pub value: Bytes,
    /// Identifies exactly this value for [`CacheBackend::compare_and_set`].
    pub version: Version,
}

/// The expected state of a key for a compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// The key is absent.
    Absent,
    /// A value that begins with these bytes (Redis compares the unique head of an entry).
    Head(Bytes),
    /// A value with this number (Memcached's CAS, the memory backend's counter).
    Number(u64),
    /// Any value or none. Only for values that are no answers, such as a claim over a foreign value.
    Anything,
}

/// What a backend keeps in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InProcess {
    /// `memory` for entries that are nowhere else, `near` for copies of a server's.
    pub store: &'static str,
    /// The number of values, claims and expired ones included.
    pub entries: usize,
    /// The memory that they take.
    pub bytes: usize,
}

/// A counter after [`CacheBackend::increment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The number of increments since the counter began, less the decrements.
    pub value: u64,
    /// The time until the counter ends.
    pub remaining: Duration,
}

/// The value under a key after [`CacheBackend::get_or_create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GetOrCreateResult {
    /// The earlier value.
    Found(Found),
    /// The new value.
    Created(Version),
    /// Another value was stored between the look-up and the creation.
    Contested,
}

impl GetOrCreateResult {
    /// The result of a look-up and a creation of the same key, which the server received in either order. A refused
    /// creation is no error where the key has a value.
    pub(super) fn of(
        found: Option<Found>,
        created: Result<Option<Version>, BackendError>,
    ) -> Result<Self, BackendError> {
        match (created, found) {
            (Ok(Some(version)), _) => Ok(Self::Created(version)),
            (_, Some(found)) => Ok(Self::Found(found)),
            (created, None) => created.map(|_| Self::Contested),
        }
    }
}

/// A part of the stored values, found by [`CacheBackend::list`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Full keys, each with the first bytes of its value: at most [`LISTED_BYTES`].
    pub values: Vec<(String, Bytes)>,
    /// Where the next part begins; 0 where there is none.
    pub next: u64,
}

/// The bytes of each value that a list contains: enough for the metadata of an entry.
pub const LISTED_BYTES: usize = 4096;

/// The reason that an operation failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BackendError {
    /// The backend cannot delete by pattern.
    #[error(
        "PatternMatchingNotSupportedError: {0} has no pattern matching; use groups or to_invalidate_extra"
    )]
    PatternMatchingNotSupported(&'static str),
    /// This one value was refused, for example because it is larger than the server accepts.
    #[error("not stored: {0}")]
    NotStored(String),
    /// The server is available but stores no value at the moment: it is full, or cannot save.
    #[error("the server stores nothing: {0}")]
    CannotStore(String),
    /// The key, or the server's part of the keys, is moving to another server (Redis Cluster). The server is available.
    #[error("moving: {0}")]
    Moving(String),
    /// The server is unavailable, for this reason.
    #[error("{0}")]
    Unavailable(String),
}

impl BackendError {
    /// The reason that the server cannot be used, from the error of a client.
    pub(super) fn unavailable(error: impl std::fmt::Display) -> Self {
        Self::Unavailable(error.to_string())
    }

    /// The error of a deadline that has passed.
    pub(crate) fn no_answer_within(limit: Duration) -> Self {
        Self::Unavailable(format!("no answer within {} ms", limit.as_millis()))
    }
}

/// A store of bytes under keys.
///
/// Every method can be called from many tasks at once, and its future can be dropped at any time. Keys
/// are complete (namespace included) and at most [`CacheBackend::max_key_bytes`] long.
#[async_trait]
pub trait CacheBackend: Send + Sync + 'static {
    /// The name in logs and errors: `redis`, `memcached`, `memory`.
    fn name(&self) -> &'static str;

    /// The longest key that the server accepts, in bytes.
    fn max_key_bytes(&self) -> usize;

    /// The value under the key, if it is available without a round trip. `None` does not mean that the
    /// key is absent.
    fn at_hand(&self, _key: &str) -> Option<Found> {
        None
    }

    /// Whether [`CacheBackend::get`] itself ends with an error after `CACHE_OPERATION_TIMEOUT_MS`. Otherwise the
    /// breaker sets a timer for each call.
    fn limits_look_ups(&self) -> bool {
        false
    }

    /// The reason that the backend is available but does not work completely, in a few words for the health check: for
    /// example a near cache that the server refuses. `None` where it works completely.
    fn shortfall(&self) -> Option<String> {
        None
    }

    /// The number of the time in which the present server is the one that every instance must use; it changes when another
    /// server takes its place (C60). `None` while it is unknown which one must be used: then nothing is read from it. A backend
    /// whose server has one address has one term.
    ///
    /// A change, such as [`CacheBackend::delete`], succeeds only if the term at its end is that of its beginning.
    fn term(&self) -> Option<u64> {
        Some(0)
    }

    /// From when on no instance uses a server that was replaced before; `None` for a server that no other one replaces. A write
    /// whose deletions could not be delivered is answered after that (C60).
    fn settles_at(&self) -> Option<Instant> {
        None
    }

    /// The name of a key of the cache itself, such as the record of its generation, that is stored on this server.
    fn own_name(&self, name: &str) -> String {
        name.to_owned()
    }

    /// Called once at the start of the process. Waits for a while if it is unknown which server must be used, and asks
    /// whether the server can be used with these options.
    ///
    /// # Errors
    /// The server answers, and can never be used: it is of another kind. A server that does not answer is no error (C29).
    async fn check_kind(&self) -> Result<(), BackendError> {
        Ok(())
    }

    /// Waits until this process knows of every change that the server has carried out so far, so that a write that another
    /// instance has delivered is not answered from a copy here. Takes at most a quarter of a second. Does nothing for a backend
    /// without copies.
    async fn catch_up(&self) {}

    /// What the backend keeps in this process; `None` where it keeps nothing.
    fn in_process(&self) -> Option<InProcess> {
        None
    }

    /// The permissions that the server refuses to this cache, in the form in which the server grants them: for Redis `+get`,
    /// or `~namespace:*`. Empty where it has them all, and for a backend without permissions. Tries every command on keys of its
    /// own in the namespace, which ends with `:` or is empty.
    async fn refused_permissions(&self, _namespace: &str) -> Result<Vec<String>, BackendError> {
        Ok(Vec::new())
    }

    /// Called when a look-up of this key was answered with the value of another key (C63): on some connection, replies
    /// do not belong to their commands. Closes every connection on which the value may have arrived. Called for each
    /// such value, so possibly often. A backend without connections does nothing.
    fn answered_out_of_step(&self, _key: &str) {}

    /// The value under the key, in one round trip.
    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError>;

    /// The value under the key from the server, where [`CacheBackend::get`] may answer from a copy in
    /// this process.
    async fn get_from_server(&self, key: &str) -> Result<Option<Found>, BackendError> {
        self.get(key).await
    }

    /// Stores the value if the key has the expected state, atomically. Returns the version of the stored value, or
    /// `None` where the state was another one. The value and its expiration are written together.
    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError>;

    /// The server's value under the key. Where the key is absent, stores this value: in the same round
    /// trip where possible.
    async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<GetOrCreateResult, BackendError> {
        if let Some(found) = self.get_from_server(key).await? {
            return Ok(GetOrCreateResult::Found(found));
        }
        let created = self.compare_and_set(key, &Version::Absent, value, expiration);
        GetOrCreateResult::of(None, created.await)
    }

    /// Stores the value, whether or not the key holds one.
    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError>;

    /// Deletes the keys. Absent keys are no error.
    async fn delete(&self, keys: &[String]) -> Result<(), BackendError>;

    /// Deletes keys that [`CacheBackend::delete`] could not delete, or has not deleted after half of the deadline. A
    /// backend with connections uses one that was made after the first attempt began, so it does not meet the same fault.
    /// The default, for a backend without connections, deletes as before.
    async fn delete_again(
        &self,
        keys: &[String],
        _first_began: Instant,
    ) -> Result<(), BackendError> {
        self.delete(keys).await
    }

    /// Adds one to the counter under the key, atomically and in one round trip. The first call starts the counter at 1.
    /// The counter ends when the expiration has passed since the first call; later calls do not prolong it.
    async fn increment(&self, key: &str, expiration: Duration) -> Result<Count, BackendError>;

    /// Subtracts one from the counter under the key, but not below 0. An absent counter stays absent.
    async fn decrement(&self, key: &str) -> Result<(), BackendError>;

    /// Deletes the keys that match the Redis glob. Returns their number.
    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError>;

    /// Deletes the stored values whose key begins with `prefix` (`""`: all) and whose value begins with
    /// `cache/3 `, as far as the server can list them, and no other data of the server. The value under the key `kept` stays.
    async fn clear(&self, prefix: &str, kept: &str) -> Result<(), BackendError>;

    /// A part of the keys that begin with `prefix`, in no order, from the place `cursor` on; 0 is the beginning. About `limit`
    /// keys, or fewer where they are rare: the work of one call is bounded. Keys that stand during the whole list are in one of
    /// its parts at least. `None` where the server cannot list.
    async fn list(
        &self,
        _prefix: &str,
        _cursor: u64,
        _limit: usize,
    ) -> Result<Option<Listing>, BackendError> {
        Ok(None)
    }

    /// Whether the server keeps a log, see [`CacheBackend::append_to_log`].
    fn keeps_log(&self) -> bool {
        false
    }

    /// Appends records to the log under a full key, which keeps about the newest `most` ones. A backend that keeps no log does
    /// nothing.
    async fn append_to_log(
        &self,
        _key: &str,
        _records: &[Bytes],
        _most: usize,
    ) -> Result<(), BackendError> {
        Ok(())
    }

    /// The newest records of the log, at most `most`, the newest one first. None where the backend keeps no log.
    async fn read_log(&self, _key: &str, _most: usize) -> Result<Vec<Bytes>, BackendError> {
        Ok(Vec::new())
    }

    /// The identity of the server process. It changes when a server that keeps old values restarts, and when another
    /// server takes its place. This is also the probe of the breaker.
    async fn server_identity(&self) -> Result<String, BackendError>;
}
