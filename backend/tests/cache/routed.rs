//! Several servers as one backend without breakers, for tests that store and read raw values.
//!
//! Come here when such a test needs another operation. The routing itself is in the cache, and is not tested here.

use std::time::Duration;

use async_trait::async_trait;
use backend::infrastructure::cache::backends::{
    BackendError, CacheBackend, Count, Found, Nodes, Version,
};
use bytes::Bytes;

/// Each operation goes to the server that holds its key.
pub struct Routed(pub Nodes);

impl Routed {
    fn of(&self, key: &str) -> &dyn CacheBackend {
        &*self.0.of(key).backend
    }
}

#[async_trait]
impl CacheBackend for Routed {
    fn name(&self) -> &'static str {
        self.0.kind()
    }

    fn max_key_bytes(&self) -> usize {
        self.of("").max_key_bytes()
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        self.of(key).get(key).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        let set = self
            .of(key)
            .compare_and_set(key, expected, value, expiration);
        set.await
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        self.of(key).set(key, value, expiration).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        for key in keys {
            self.of(key).delete(std::slice::from_ref(key)).await?;
        }
        Ok(())
    }

    async fn increment(&self, key: &str, expiration: Duration) -> Result<Count, BackendError> {
        self.of(key).increment(key, expiration).await
    }

    async fn decrement(&self, key: &str) -> Result<(), BackendError> {
        self.of(key).decrement(key).await
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        self.of("").delete_pattern(pattern).await
    }

    async fn clear(&self, prefix: &str) -> Result<(), BackendError> {
        for node in self.0.all() {
            node.backend.clear(prefix).await?;
        }
        Ok(())
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        self.of("").server_identity().await
    }
}
