//! The Memcached backend.
//!
//! Versions are the server's CAS numbers. They begin anew when the server restarts, but a restarted
//! server is empty and has lost the namespace's generation too, so that what is stored under a
//! number from before the restart carries a generation that is not trusted any more.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use memcache::exp::{
    AsyncMetaClient, Delete, Error, Get, Meta, MetaClientBuilder, MutationResult, Set, Ttl,
};
use tokio::sync::OnceCell;

use super::{BackendError, CacheBackend, Found, Version};
use crate::infrastructure::settings::CacheSettings;

/// Longer lifetimes do not fit the protocol's 32-bit times for long.
const LONGEST_LIFETIME_SECONDS: u64 = 10 * 365 * 24 * 3600;

/// Entries on a Memcached server, version 1.6 or later.
pub struct MemcachedBackend {
    address: String,
    builder: MetaClientBuilder,
    client: OnceCell<AsyncMetaClient>,
}

impl MemcachedBackend {
    /// A backend that connects when it is first used.
    #[must_use]
    pub fn new(settings: &CacheSettings) -> Self {
        let builder = MetaClientBuilder::new()
            .max_idle(settings.cache_memcached_pool_size)
            .max_connections(Some(settings.cache_memcached_pool_size))
            .connect_timeout(Some(Duration::from_secs(
                settings.cache_memcached_connect_timeout,
            )))
            // The deadline of an operation is set by whoever waits for it.
            .io_timeout(None);
        Self {
            address: format!(
                "{}:{}",
                settings.cache_memcached_host, settings.cache_memcached_port
            ),
            builder,
            client: OnceCell::new(),
        }
    }

    async fn client(&self) -> Result<&AsyncMetaClient, BackendError> {
        let connect = || self.builder.clone().connect_async(self.address.as_str());
        self.client.get_or_try_init(connect).await.map_err(failed)
    }

    /// Stores and answers whether it was stored.
    async fn store(&self, set: Set) -> Result<bool, BackendError> {
        match self.client().await?.run(set).await {
            Ok(result) => Ok(result.applied()),
            // The server is well but will not have this value: too large, or no memory left.
            Err(error) => Err(match refusal(&error) {
                Some(reason) => BackendError::NotStored(reason),
                None => failed(error),
            }),
        }
    }
}

#[async_trait]
impl CacheBackend for MemcachedBackend {
    fn name(&self) -> &'static str {
        "memcached"
    }

    fn max_key_bytes(&self) -> usize {
        250
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        let found = self
            .client()
            .await?
            .run(Get::new(key).meta(Meta::NONE.cas()))
            .await
            .map_err(failed)?;
        Ok(found.value.map(|value| Found {
            value: value.into(),
            version: found.item.cas.map_or(Version::Anything, Version::Number),
        }))
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        let set = Set::new(key, &value).ttl(lifetime(expiration));
        let set = match expected {
            Version::Absent | Version::Head(_) => set.add(),
            Version::Number(number) => set.compare_cas(*number),
            Version::Anything => set,
        };
        if !self.store(set).await? {
            return Ok(None);
        }
        // Servers before 1.6.19 do not tell the number of what they stored.
        let stored = self.get(key).await?;
        Ok(stored
            .filter(|stored| stored.value == value)
            .map(|stored| stored.version))
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        self.store(Set::new(key, &value).ttl(lifetime(expiration)))
            .await
            .map(|_| ())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        let results: Vec<Result<MutationResult, Error>> = self
            .client()
            .await?
            .run_many(keys.iter().map(Delete::new))
            .await
            .map_err(failed)?;
        results
            .into_iter()
            .try_for_each(|result| result.map(|_| ()).map_err(failed))
    }

    async fn delete_pattern(&self, _: &str) -> Result<u64, BackendError> {
        Err(BackendError::PatternMatchingNotSupported(self.name()))
    }

    /// Does nothing: the server cannot list what is ours, and the namespace's new generation has made
    /// all of it worthless already.
    async fn clear(&self, _: &str) -> Result<(), BackendError> {
        Ok(())
    }

    /// Always the same: a restarted server remembers nothing, the namespace's generation included.
    async fn server_identity(&self) -> Result<String, BackendError> {
        self.client().await?.noop().await.map_err(failed)?;
        Ok("memcached".to_owned())
    }
}

fn lifetime(expiration: Duration) -> Ttl {
    let seconds = expiration
        .as_millis()
        .div_ceil(1000)
        .clamp(1, u128::from(LONGEST_LIFETIME_SECONDS));
    Ttl::secs(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// What the server said where it refuses a value.
fn refusal(error: &Error) -> Option<String> {
    match error {
        Error::Server(message) => Some(message.clone()),
        Error::Ambiguous { source, .. } => refusal(source),
        _ => None,
    }
}

fn failed(error: Error) -> BackendError {
    BackendError::Unavailable(error.to_string())
}
