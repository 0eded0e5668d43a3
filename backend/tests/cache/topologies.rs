//! The backends and topologies on which the cache's tests run: their settings, and their servers without a cache before them.
//!
//! Come here to run every test on one more topology. Caches on them are in `harness`.

use std::sync::Arc;

use backend::infrastructure::cache::CacheOptions;
use backend::infrastructure::cache::backends::{CacheBackend, Nodes, from_options};
use backend::infrastructure::settings::{CacheBackendKind, CacheRedisMode, CacheSettings};

use crate::routed::Routed;
use crate::support::{unique, variable};

/// Settings for the servers of `./scripts/test`.
pub fn settings(kind: CacheBackendKind) -> CacheSettings {
    let port = |name| variable(name).parse().expect("a port");
    CacheSettings {
        cache_backend: kind,
        cache_namespace: unique("test"),
        cache_redis_port: port("TEST_REDIS_PORT"),
        cache_redis_host: "127.0.0.1".to_owned(),
        cache_memcached_port: port("TEST_MEMCACHED_PORT"),
        cache_memcached_host: "127.0.0.1".to_owned(),
        cache_expiration_jitter_percent: 0,
        // A busy machine is no outage. Deadlines are tested with short ones.
        cache_operation_timeout_ms: 5000,
        ..CacheSettings::default()
    }
}

/// Redis with a near cache.
pub fn near_settings() -> CacheSettings {
    CacheSettings {
        cache_near: true,
        ..settings(CacheBackendKind::Redis)
    }
}

/// Three Memcached servers among which the keys are distributed.
pub fn distributed_settings() -> CacheSettings {
    CacheSettings {
        cache_memcached_servers: variable("TEST_MEMCACHED_SERVERS"),
        ..settings(CacheBackendKind::Memcached)
    }
}

/// A Redis Cluster of three masters.
pub fn cluster_settings() -> CacheSettings {
    CacheSettings {
        cache_redis_mode: CacheRedisMode::Cluster,
        cache_redis_nodes: variable("TEST_REDIS_NODES"),
        ..settings(CacheBackendKind::Redis)
    }
}

/// The settings of each backend: Redis alone, with a near cache and as a Cluster, Memcached alone and on three servers, memory.
pub fn of_every_backend() -> [CacheSettings; 6] {
    [
        settings(CacheBackendKind::Redis),
        settings(CacheBackendKind::Memcached),
        settings(CacheBackendKind::Memory),
        near_settings(),
        distributed_settings(),
        cluster_settings(),
    ]
}

/// The server, or all servers as one backend without breakers.
pub fn backend(settings: &CacheSettings) -> Arc<dyn CacheBackend> {
    let nodes = nodes(settings);
    match nodes.all() {
        [only] => Arc::clone(&only.backend),
        _ => Arc::new(Routed::over(nodes)),
    }
}

/// The servers. Those of a Cluster are known when this returns, as they are when the service starts.
pub async fn reached(settings: &CacheSettings) -> Nodes {
    let nodes = nodes(settings);
    if nodes.all().len() > 1 {
        let reached = nodes.all()[0].backend.check_kind().await;
        reached.expect("servers of the kind that the settings name");
    }
    nodes
}

pub fn nodes(settings: &CacheSettings) -> Nodes {
    let options = CacheOptions::from(settings);
    from_options(&options, options.backend).expect("a backend")
}
