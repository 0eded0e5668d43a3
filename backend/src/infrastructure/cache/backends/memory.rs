//! The memory backend: entries in this process, bounded in bytes, for one instance, development and tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use moka::Expiry;
use moka::ops::compute::{CompResult, Op};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::{BackendError, CacheBackend, Found, Version, glob};
use crate::infrastructure::settings::CacheSettings;

/// What an entry costs besides its key and value, measured with 100 000 entries.
const OVERHEAD_BYTES: usize = 256;

#[derive(Clone, Debug)]
struct Stored {
    value: Bytes,
    version: u64,
    lifetime: Duration,
}

/// Gives each entry its own lifetime.
#[derive(Debug)]
struct OwnLifetime;

impl Expiry<String, Stored> for OwnLifetime {
    fn expire_after_create(&self, _: &String, stored: &Stored, _: Instant) -> Option<Duration> {
        Some(stored.lifetime)
    }

    fn expire_after_update(
        &self,
        _: &String,
        stored: &Stored,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(stored.lifetime)
    }
}

/// Entries in this process's memory, the least recently used of which make room.
#[derive(Debug)]
pub struct MemoryBackend {
    entries: Cache<String, Stored>,
    max_bytes: u64,
    versions: AtomicU64,
}

impl MemoryBackend {
    /// An empty backend of at most `CACHE_MEMORY_MAX_BYTES`.
    #[must_use]
    pub fn new(settings: &CacheSettings) -> Self {
        let entries = Cache::builder()
            .max_capacity(settings.cache_memory_max_bytes)
            .weigher(|key: &String, stored: &Stored| weight(key, &stored.value))
            .expire_after(OwnLifetime)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self {
            entries,
            max_bytes: settings.cache_memory_max_bytes,
            versions: AtomicU64::new(1),
        }
    }

    fn stored(&self, value: Bytes, lifetime: Duration) -> Stored {
        Stored {
            value,
            version: self.versions.fetch_add(1, Ordering::Relaxed),
            lifetime,
        }
    }

    fn check_size(&self, key: &str, value: &Bytes) -> Result<(), BackendError> {
        if u64::from(weight(key, value)) > self.max_bytes {
            return Err(BackendError::NotStored(
                "the value is larger than CACHE_MEMORY_MAX_BYTES".to_owned(),
            ));
        }
        Ok(())
    }

    fn delete_where(&self, matches: impl Fn(&str) -> bool) -> u64 {
        let keys: Vec<_> = self
            .entries
            .iter()
            .map(|(key, _)| key)
            .filter(|key| matches(key))
            .collect();
        keys.iter()
            .filter(|key| self.entries.remove(key.as_str()).is_some())
            .count() as u64
    }
}

fn weight(key: &str, value: &Bytes) -> u32 {
    u32::try_from(key.len() + value.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
}

#[async_trait]
impl CacheBackend for MemoryBackend {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn max_key_bytes(&self) -> usize {
        1024
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        let stored = self.entries.get(key);
        Ok(stored.map(|stored| Found {
            value: stored.value,
            version: Version::Number(stored.version),
        }))
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        self.check_size(key, &value)?;
        let stored = self.stored(value, expiration);
        let version = stored.version;
        let outcome = self.entries.entry_by_ref(key).and_compute_with(|current| {
            let current = current.map(|entry| entry.into_value().version);
            let fits = match expected {
                Version::Absent => current.is_none(),
                Version::Number(number) => current == Some(*number),
                Version::Anything => true,
                Version::Head(_) => false,
            };
            if fits { Op::Put(stored) } else { Op::Nop }
        });
        Ok(match outcome {
            CompResult::Inserted(_) | CompResult::ReplacedWith(_) => Some(Version::Number(version)),
            _ => None,
        })
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        self.check_size(key, &value)?;
        self.entries
            .insert(key.to_owned(), self.stored(value, expiration));
        Ok(())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        for key in keys {
            self.entries.invalidate(key);
        }
        Ok(())
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        Ok(self.delete_where(|key| glob::matches(pattern, key)))
    }

    async fn clear(&self, prefix: &str) -> Result<(), BackendError> {
        self.delete_where(|key| key.starts_with(prefix));
        Ok(())
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        Ok("memory".to_owned())
    }
}
