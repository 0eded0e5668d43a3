//! Several servers as one backend without breakers, for tests that store and read raw values.
//!
//! Come here when such a test needs another operation. The routing itself is in the cache, and is not tested here.

use std::time::Duration;

use async_trait::async_trait;
use backend::infrastructure::cache::backends::{
    BackendError, CacheBackend, Count, Found, Nodes, Version,
};
use bytes::Bytes;
use tokio::sync::OnceCell;

/// Each operation goes to the server that holds its key.
pub struct Routed {
    nodes: Nodes,
    /// Set when the servers of a Cluster are known.
    reached: OnceCell<()>,
}

impl Routed {
    pub fn over(nodes: Nodes) -> Self {
        Self {
            nodes,
            reached: OnceCell::new(),
        }
    }

    async fn of(&self, key: &str) -> &dyn CacheBackend {
        self.reach().await;
        &*self.nodes.of(key).backend
    }

    async fn reach(&self) {
        let any = &self.nodes.all()[0].backend;
        let reached = async || any.check_kind().await.expect("servers of this kind");
        self.reached.get_or_init(reached).await;
    }
}

#[async_trait]
impl CacheBackend for Routed {
    fn name(&self) -> &'static str {
        self.nodes.kind()
    }

    fn max_key_bytes(&self) -> usize {
        self.nodes.all()[0].backend.max_key_bytes()
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        self.of(key).await.get(key).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        let server = self.of(key).await;
        server
            .compare_and_set(key, expected, value, expiration)
            .await
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        self.of(key).await.set(key, value, expiration).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        for key in keys {
            self.of(key).await.delete(std::slice::from_ref(key)).await?;
        }
        Ok(())
    }

    async fn increment(&self, key: &str, expiration: Duration) -> Result<Count, BackendError> {
        self.of(key).await.increment(key, expiration).await
    }

    async fn decrement(&self, key: &str) -> Result<(), BackendError> {
        self.of(key).await.decrement(key).await
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        self.reach().await;
        let mut deleted = 0;
        for node in self.nodes.all() {
            deleted += node.backend.delete_pattern(pattern).await?;
        }
        Ok(deleted)
    }

    async fn clear(&self, prefix: &str, kept: &str) -> Result<(), BackendError> {
        self.reach().await;
        for node in self.nodes.all() {
            node.backend.clear(prefix, kept).await?;
        }
        Ok(())
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        self.of("").await.server_identity().await
    }
}
