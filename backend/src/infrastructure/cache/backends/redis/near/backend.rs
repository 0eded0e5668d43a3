//! Redis with a near cache in front. A read is answered from the near cache if possible, and a change removes its keys
//! there.
//!
//! Come here to change an operation with a near cache. The rules of the near cache are in `values`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::tracking;
use super::values::Near;
use crate::backends::contract::{
    BackendError, CacheBackend, Count, Found, GetOrCreateResult, InProcess, Listing, Version,
};
use crate::backends::redis::backend::RedisBackend;
use crate::backends::redis::permissions::Use;
use crate::options::CacheOptions;

/// Redis with a near cache.
pub struct NearBackend {
    remote: RedisBackend,
    near: Arc<Near>,
    messages: Arc<tracking::Messages>,
    tracking: JoinHandle<()>,
}

impl NearBackend {
    /// A backend that connects at its first use, and starts a task that receives changes. It keeps at
    /// most `max_bytes` in this process.
    ///
    /// # Errors
    /// The options form no address.
    pub fn new(options: &CacheOptions, max_bytes: u64) -> Result<Self, BackendError> {
        let remote = RedisBackend::new(options)?;
        let near = Arc::new(Near::new(max_bytes));
        let messages = Arc::default();
        let tracking = tokio::spawn(tracking::track(
            tracking::Tracked::new(options, remote.location(), remote.identity()),
            Arc::clone(&near),
            Arc::clone(&messages),
        ));
        Ok(Self {
            remote,
            near,
            messages,
            tracking,
        })
    }

    /// Runs a change. Its keys are removed from the near cache before it and after it.
    async fn change<T>(&self, keys: &[String], change: impl Future<Output = T>) -> T {
        let removal = RemoveOnDrop {
            near: &self.near,
            keys,
        };
        removal.now();
        // If this future is dropped, the change may still reach the server, so the keys are removed then too.
        let result = change.await;
        drop(removal);
        result
    }
}

/// Removes keys when it is dropped.
struct RemoveOnDrop<'a> {
    near: &'a Near,
    keys: &'a [String],
}

impl RemoveOnDrop<'_> {
    fn now(&self) {
        for key in self.keys {
            self.near.changed(key);
        }
    }
}

impl Drop for RemoveOnDrop<'_> {
    fn drop(&mut self) {
        self.now();
    }
}

impl Drop for NearBackend {
    fn drop(&mut self) {
        self.tracking.abort();
    }
}

#[async_trait]
impl CacheBackend for NearBackend {
    fn name(&self) -> &'static str {
        self.remote.name()
    }

    fn max_key_bytes(&self) -> usize {
        self.remote.max_key_bytes()
    }

    fn limits_look_ups(&self) -> bool {
        self.remote.limits_look_ups()
    }

    fn term(&self) -> Option<u64> {
        self.remote.term()
    }

    fn settles_at(&self) -> Option<Instant> {
        self.remote.settles_at()
    }

    fn shortfall(&self) -> Option<String> {
        self.near.refusal().or_else(|| self.remote.shortfall())
    }

    async fn check_kind(&self) -> Result<(), BackendError> {
        self.remote.check_kind().await
    }

    async fn catch_up(&self) {
        if !self.messages.have_arrived().await {
            self.near.changed_all();
        }
    }

    fn in_process(&self) -> Option<InProcess> {
        Some(self.near.in_process())
    }

    async fn refused_permissions(&self, namespace: &str) -> Result<Vec<String>, BackendError> {
        self.remote.refused(namespace, Use::WithNearCache).await
    }

    fn at_hand(&self, key: &str) -> Option<Found> {
        self.near.get(key)
    }

    fn answered_out_of_step(&self, key: &str) {
        self.near.changed(key);
        self.remote.answered_out_of_step(key);
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        if let Some(found) = self.near.get(key) {
            return Ok(Some(found));
        }
        let term = self.remote.term();
        let before = self.near.before(key);
        let found = self.remote.get(key).await?;
        // The changes of the server that answered are reported here, and not those of the one before it.
        let is_reported = self.messages.are_of(term) && self.remote.term() == term;
        if let (Some(found), Some(before)) = (&found, before)
            && is_reported
        {
            self.near.keep(key, found, before);
        }
        Ok(found)
    }

    async fn get_from_server(&self, key: &str) -> Result<Option<Found>, BackendError> {
        self.remote.get(key).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        let keys = [key.to_owned()];
        self.change(
            &keys,
            self.remote
                .compare_and_set(key, expected, value, expiration),
        )
        .await
    }

    async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<GetOrCreateResult, BackendError> {
        let keys = [key.to_owned()];
        self.change(&keys, self.remote.get_or_create(key, value, expiration))
            .await
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        let keys = [key.to_owned()];
        self.change(&keys, self.remote.set(key, value, expiration))
            .await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        self.change(keys, self.remote.delete(keys)).await
    }

    async fn delete_again(
        &self,
        keys: &[String],
        first_began: Instant,
    ) -> Result<(), BackendError> {
        self.change(keys, self.remote.delete_again(keys, first_began))
            .await
    }

    async fn increment(&self, key: &str, expiration: Duration) -> Result<Count, BackendError> {
        self.remote.increment(key, expiration).await
    }

    async fn decrement(&self, key: &str) -> Result<(), BackendError> {
        self.remote.decrement(key).await
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        let deleted = self.remote.delete_pattern(pattern).await;
        self.near.changed_all();
        deleted
    }

    async fn clear(&self, prefix: &str, kept: &str) -> Result<(), BackendError> {
        let cleared = self.remote.clear(prefix, kept).await;
        self.near.changed_all();
        cleared
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<Option<Listing>, BackendError> {
        self.remote.list(prefix, cursor, limit).await
    }

    fn keeps_log(&self) -> bool {
        self.remote.keeps_log()
    }

    async fn append_to_log(
        &self,
        key: &str,
        records: &[Bytes],
        most: usize,
    ) -> Result<(), BackendError> {
        self.remote.append_to_log(key, records, most).await
    }

    async fn read_log(&self, key: &str, most: usize) -> Result<Vec<Bytes>, BackendError> {
        self.remote.read_log(key, most).await
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        self.remote.server_identity().await
    }
}
