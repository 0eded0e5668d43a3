//! The contract of a backend: the trait that each implements, and its types.
//!
//! A backend knows bytes under keys and nothing of HTTP, entries or policies. Deadlines, the circuit
//! breaker and recovery stand in front of it, so an implementation reports an error and is done.
//! Come here to write another backend. Nothing else belongs here.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

/// What a backend found under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The stored bytes; empty where the server holds something that cannot be read as bytes.
    pub value: Bytes,
    /// Identifies exactly this value for [`CacheBackend::compare_and_set`].
    pub version: Version,
}

/// What a compare-and-set expects to find under the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// Nothing.
    Absent,
    /// A value that begins with these bytes (Redis compares the unique head of an entry).
    Head(Bytes),
    /// A value with this number (Memcached's CAS, the memory backend's counter).
    Number(u64),
    /// Whatever is there. Only for what stores no data, such as a claim over a foreign value.
    Anything,
}

/// What stands under a key after [`CacheBackend::get_or_create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// What was there before.
    Found(Found),
    /// The new value.
    Created(Version),
    /// Something that came between the look and the creation.
    Contested,
}

impl Standing {
    /// From what a look found and what the creation over nothing said, in whatever order the two
    /// reached the server. A refused creation is no error where there is a value.
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

/// Why an operation did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BackendError {
    /// The backend cannot delete by pattern.
    #[error(
        "PatternMatchingNotSupportedError: {0} has no pattern matching; use groups or to_invalidate_extra"
    )]
    PatternMatchingNotSupported(&'static str),
    /// This one value was refused: it is larger than the server takes, say.
    #[error("not stored: {0}")]
    NotStored(String),
    /// The server answers but stores nothing at the moment, no matter which value: it is full, or cannot save.
    #[error("the server stores nothing: {0}")]
    CannotStore(String),
    /// Anything that says the backend is not there or not well.
    #[error("{0}")]
    Unavailable(String),
}

impl BackendError {
    /// Why the server cannot be used, from the error of a client.
    pub(super) fn unavailable(error: impl std::fmt::Display) -> Self {
        Self::Unavailable(error.to_string())
    }

    /// What a deadline that has passed means.
    pub(in crate::infrastructure::cache) fn no_answer_within(limit: Duration) -> Self {
        Self::Unavailable(format!("no answer within {} ms", limit.as_millis()))
    }
}

/// A store of bytes under keys.
///
/// Every method is safe to call from many tasks at once and to drop half-way. Keys are complete
/// (namespace included) and at most [`CacheBackend::max_key_bytes`] long.
#[async_trait]
pub trait CacheBackend: Send + Sync + 'static {
    /// The name in logs and errors: `redis`, `memcached`, `memory`.
    fn name(&self) -> &'static str;

    /// The longest key the server takes.
    fn max_key_bytes(&self) -> usize;

    /// The value under the key where nobody has to be asked for it, at once. `None` says nothing: the
    /// backend may hold a value all the same.
    fn at_hand(&self, _key: &str) -> Option<Found> {
        None
    }

    /// Whether [`CacheBackend::get`] gives up by itself, with an error, once
    /// `CACHE_OPERATION_TIMEOUT_MS` have passed. Where it does not, a timer is set for each call.
    fn limits_look_ups(&self) -> bool {
        false
    }

    /// What the backend cannot do at the moment, though it answers, in a few words for health: a near cache
    /// that the server refuses, say.
    fn shortfall(&self) -> Option<String> {
        None
    }

    /// A value of another key came in answer to a look-up of this one (C63): replies are out of step
    /// with commands on some connection. Closes the connections that may have brought it. Safe to call
    /// for every such value; a backend without connections has nothing to do.
    fn answered_out_of_step(&self, _key: &str) {}

    /// The value under the key, in one round trip.
    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError>;

    /// The value under the key as the server has it, where [`CacheBackend::get`] may know it without
    /// asking.
    async fn get_from_server(&self, key: &str) -> Result<Option<Found>, BackendError> {
        self.get(key).await
    }

    /// Stores the value if the key holds what is expected; answers the stored value's version, or
    /// `None` where something else was there. The expiration is written with the value.
    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError>;

    /// The value under the key as the server has it or, where there is none, this one in its place: in
    /// one round trip where that saves any.
    async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Standing, BackendError> {
        if let Some(found) = self.get_from_server(key).await? {
            return Ok(Standing::Found(found));
        }
        let created = self.compare_and_set(key, &Version::Absent, value, expiration);
        Standing::of(None, created.await)
    }

    /// Stores the value whatever was there.
    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError>;

    /// Deletes the keys; absent ones are no error.
    async fn delete(&self, keys: &[String]) -> Result<(), BackendError>;

    /// The same for keys that [`CacheBackend::delete`] could not delete, or has not deleted yet: on a
    /// connection that was made after the first attempt began, so that it does not meet the same fault.
    async fn delete_again(
        &self,
        keys: &[String],
        _first_began: Instant,
    ) -> Result<(), BackendError> {
        self.delete(keys).await
    }

    /// Deletes what matches the Redis glob and answers how many that were.
    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError>;

    /// Deletes the stored values whose key begins with `prefix` (`""`: all) and whose value begins
    /// with `cache/3 `, as far as the server can list them; nothing else that shares the server.
    async fn clear(&self, prefix: &str) -> Result<(), BackendError>;

    /// Asks the server who it is: the answer changes when a server that may remember old values
    /// restarts, or another takes its place. Serves as the health probe too.
    async fn server_identity(&self) -> Result<String, BackendError>;
}
