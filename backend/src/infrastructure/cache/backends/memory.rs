//! The memory backend: entries in this process, bounded in bytes, for one instance, development and
//! tests.
//!
//! Come here to change an operation of the memory backend. Eviction and the bound are in
//! `bounded_store`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

use super::bounded_store::Store;
use super::contract::{BackendError, CacheBackend, Count, Found, InProcess, Listing, Version};
use super::glob;

/// Entries in this process's memory. When it is full, entries that are not read are evicted.
#[derive(Debug)]
pub struct MemoryBackend {
    entries: Store,
    versions: AtomicU64,
    start: Instant,
}

impl MemoryBackend {
    /// An empty backend of at most `max_bytes` bytes.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        Self {
            entries: Store::new(max_bytes),
            versions: AtomicU64::new(1),
            start: Instant::now(),
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

    /// Replaces the counter under the key by the result of `change`; `None` leaves the counter as it is. The change is
    /// repeated where another thread has changed the counter meanwhile. Each repetition means that another change has
    /// succeeded.
    fn change_counter(
        &self,
        key: &str,
        change: impl Fn(Option<Counter>) -> Option<Counter>,
    ) -> Result<Option<Counter>, BackendError> {
        loop {
            let now = self.start.elapsed();
            let standing = self.entries.get(key);
            let counter = standing
                .as_ref()
                .and_then(|kept| Counter::read(&kept.value))
                .filter(|counter| counter.ends > now);
            let Some(changed) = change(counter) else {
                return Ok(None);
            };
            let seen = standing.map(|kept| kept.stamp);
            let lifetime = changed.ends.saturating_sub(now);
            let stored =
                self.put_if(key, &changed.write(), lifetime, |standing| standing == seen)?;
            if stored.is_some() {
                return Ok(Some(changed));
            }
        }
    }
}

/// A counter and its end, in whole milliseconds since the backend was made.
#[derive(Clone, Copy)]
struct Counter {
    value: u64,
    ends: Duration,
}

impl Counter {
    fn read(stored: &[u8]) -> Option<Self> {
        let (value, ends) = std::str::from_utf8(stored).ok()?.split_once(' ')?;
        Some(Self {
            value: value.parse().ok()?,
            ends: Duration::from_millis(ends.parse().ok()?),
        })
    }

    fn write(self) -> Bytes {
        format!("{} {}", self.value, self.ends.as_millis()).into()
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

    fn in_process(&self) -> Option<InProcess> {
        Some(self.entries.in_process("memory"))
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

    async fn increment(&self, key: &str, expiration: Duration) -> Result<Count, BackendError> {
        let counted = self.change_counter(key, |counter| {
            Some(Counter {
                value: counter.map_or(0, |counter| counter.value).saturating_add(1),
                ends: counter
                    .map_or_else(|| self.start.elapsed() + expiration, |counter| counter.ends),
            })
        })?;
        let counted = counted.ok_or_else(|| BackendError::unavailable("nothing was counted"))?;
        Ok(Count {
            value: counted.value,
            remaining: counted.ends.saturating_sub(self.start.elapsed()),
        })
    }

    async fn decrement(&self, key: &str) -> Result<(), BackendError> {
        let taken = self.change_counter(key, |counter| {
            counter.map(|counter| Counter {
                value: counter.value.saturating_sub(1),
                ..counter
            })
        });
        taken.map(drop)
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        Ok(self.entries.remove_where(|key| glob::matches(pattern, key)))
    }

    async fn clear(&self, prefix: &str, kept: &str) -> Result<(), BackendError> {
        self.entries
            .remove_where(|key| key.starts_with(prefix) && key != kept);
        Ok(())
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<Option<Listing>, BackendError> {
        Ok(Some(self.entries.list(prefix, cursor, limit)))
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        Ok("memory".to_owned())
    }
}
