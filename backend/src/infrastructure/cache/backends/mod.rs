//! Where values are kept: one small trait (`contract`) and its implementations.
//!
//! Come here to see which backend the settings choose. A new backend gets a folder or a file here and a
//! line in [`from_settings`]. Nothing here knows entries, policies or HTTP.

mod bounded_store;
mod contract;
pub mod glob;
pub(super) mod head;
mod lanes;
mod memcached;
mod memory;
mod redis;

pub use contract::{BackendError, CacheBackend, Found, Standing, Version};
pub use memcached::MemcachedBackend;
pub use memory::MemoryBackend;
pub use redis::{NearBackend, RedisBackend};

use std::sync::Arc;

use crate::infrastructure::settings::{CacheBackendKind, CacheSettings};

/// The backend that the settings choose. Connects to nothing yet; a near cache starts to listen, and
/// needs a Tokio runtime for that.
///
/// # Errors
/// Where the settings cannot describe a connection.
pub fn from_settings(settings: &CacheSettings) -> Result<Arc<dyn CacheBackend>, BackendError> {
    Ok(match settings.cache_backend {
        CacheBackendKind::Redis if settings.cache_near => Arc::new(NearBackend::new(settings)?),
        CacheBackendKind::Redis => Arc::new(RedisBackend::new(settings)?),
        CacheBackendKind::Memcached => Arc::new(MemcachedBackend::new(settings)),
        CacheBackendKind::Memory => Arc::new(MemoryBackend::new(settings)),
    })
}
