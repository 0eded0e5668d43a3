//! The memory backend: entries in this process, bounded in bytes, for one instance, development and
//! tests.
//!
//! Come here to change an operation of the memory backend. Eviction and the bound are in
//! `bounded_store`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::bounded_store::Store;
use super::contract::{BackendError, CacheBackend, Found, Version};
use super::glob;

/// Entries in this process's memory. When it is full, entries that are not read are evicted.
#[derive(Debug)]
pub struct MemoryBackend {
    entries: Store,
    versions: AtomicU64,
}

impl MemoryBackend {
    /// An empty backend of at most `max_bytes` bytes.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        Self {
            entries: Store::new(max_bytes),
            versions: AtomicU64::new(1),
        }
    }

    /// Stores the value with a new number, if the condition holds for the present number.
    fn put_if(
        &self,
        key: &str,
        value: &Bytes,
        expiration: Duration,
        condition: impl FnOnce(Option<u64>) -> bool,
    ) -> Result<Option<Version>, BackendError> {
        if !self.entries.fits(key, value) {
            return Err(BackendError::NotStored(
                "the value is larger than CACHE_MEMORY_MAX_BYTES".to_owned(),
            ));
        }
        let version = self.versions.fetch_add(1, Ordering::Relaxed);
        let stored = self
            .entries
            .put_if(key, value, version, expiration, condition);
        Ok(stored.then_some(Version::Number(version)))
    }
}

#[async_trait]
impl CacheBackend for MemoryBackend {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn max_key_bytes(&self) -> usize {
        1024
    }

    fn at_hand(&self, key: &str) -> Option<Found> {
        self.entries.get(key).map(|kept| Found {
            value: kept.value,
            version: Version::Number(kept.stamp),
        })
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        Ok(self.at_hand(key))
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        self.put_if(key, &value, expiration, |standing| match expected {
            Version::Absent => standing.is_none(),
            Version::Number(number) => standing == Some(*number),
            Version::Anything => true,
            Version::Head(_) => false,
        })
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        self.put_if(key, &value, expiration, |_| true).map(drop)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        for key in keys {
            self.entries.remove(key);
        }
        Ok(())
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        Ok(self.entries.remove_where(|key| glob::matches(pattern, key)))
    }

    async fn clear(&self, prefix: &str) -> Result<(), BackendError> {
        self.entries.remove_where(|key| key.starts_with(prefix));
        Ok(())
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        Ok("memory".to_owned())
    }
}
