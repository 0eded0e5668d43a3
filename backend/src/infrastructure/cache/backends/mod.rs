//! Backends: one small trait (`contract`) and its implementations.
//!
//! Come here to see which backend the options choose. A new backend gets a folder or a file here and a
//! line in [`from_options`]. Nothing here knows entries, policies or HTTP.

mod bounded_store;
mod contract;
pub mod glob;
pub(super) mod head;
mod lane;
mod lanes;
mod memcached;
mod memory;
mod nodes;
mod redis;
mod second_attempt;

pub use contract::{
    BackendError, CacheBackend, Count, Found, GetOrCreateResult, InProcess, Listing, Version,
};
pub use memcached::MemcachedBackend;
pub use memory::MemoryBackend;
pub(super) use nodes::Distribution;
pub use nodes::{MOST_NODES, Node, Nodes};
pub use redis::{NearBackend, RedisBackend};

use std::sync::Arc;

use crate::options::{BackendKind, CacheOptions};

/// The servers of the backend of that kind. They do not connect yet. A near cache, Sentinels and a Redis Cluster start a task at
/// once, which needs a Tokio runtime.
///
/// # Errors
/// The options describe no possible connection.
pub fn from_options(options: &CacheOptions, kind: BackendKind) -> Result<Nodes, BackendError> {
    if let (BackendKind::Redis, Some(nodes)) = (kind, &options.redis.nodes) {
        let groups = redis::groups(options, nodes)?.into_iter();
        let nodes = groups.map(|(name, group)| Node {
            name,
            backend: Arc::new(group),
        });
        return Ok(Nodes::of_slots(nodes.collect()));
    }
    let one: Arc<dyn CacheBackend> = match kind {
        BackendKind::Redis => match options.redis.near_max_bytes {
            Some(max_bytes) => Arc::new(NearBackend::new(options, max_bytes)?),
            None => Arc::new(RedisBackend::new(options)?),
        },
        BackendKind::Memcached => {
            let servers = options.memcached.servers.iter().map(|server| Node {
                name: server.to_string(),
                backend: Arc::new(MemcachedBackend::new(
                    server,
                    &options.memcached,
                    options.operation_timeout,
                )),
            });
            return Nodes::new(servers.collect());
        }
        BackendKind::Memory => Arc::new(MemoryBackend::new(options.memory_max_bytes)),
    };
    Ok(one.into())
}
