//! The cache's options, from the settings of the cache.
//!
//! Come here after adding a setting of the cache: the cache does not know settings, so each is converted
//! here.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::cache::{CacheBackendKind, CacheRedisMode, CacheSettings};
use super::extra_backends::extra_backends;
use super::server_addresses::server_addresses;
use crate::cache::{
    BackendKind, CacheOptions, MemcachedOptions, RedisOptions, SentinelOptions, ServerAddress,
};

impl From<&CacheSettings> for CacheOptions {
    fn from(settings: &CacheSettings) -> Self {
        Self {
            enabled: settings.cache_enabled,
            backend: kind(settings.cache_backend),
            // Checked when the settings were loaded.
            extra_backends: extra_backends(&settings.cache_extra_backends)
                .unwrap_or_default()
                .into_iter()
                .map(|(name, own)| (name, kind(own)))
                .collect(),
            namespace: settings.cache_namespace.clone(),
            default_expiration: Duration::from_secs(settings.default_cache_expiration),
            expiration_jitter_percent: settings.cache_expiration_jitter_percent,
            max_body_bytes: settings.cache_max_body_bytes,
            compress_min_bytes: Some(settings.cache_compress_min_bytes).filter(|bytes| *bytes > 0),
            verify_percent: settings.cache_verify_percent,
            status_header: settings.cache_status_header,
            record_outcomes: true,
            collapse_wait: Duration::from_millis(settings.cache_collapse_wait_ms),
            operation_timeout: Duration::from_millis(settings.cache_operation_timeout_ms),
            redis: RedisOptions {
                url: is_set(&settings.cache_redis_url).then(|| settings.cache_redis_url.clone()),
                tls_ca_file: (!settings.cache_redis_tls_ca_file.is_empty())
                    .then(|| PathBuf::from(&settings.cache_redis_tls_ca_file)),
                host: settings.cache_redis_host.clone(),
                port: settings.cache_redis_port,
                tls: settings.cache_redis_tls,
                database: settings.cache_redis_db,
                username: settings.cache_redis_username.clone(),
                password: settings.cache_redis_password.clone(),
                connect_timeout: Duration::from_secs(settings.cache_redis_connect_timeout),
                pool_size: settings.cache_redis_pool_size,
                near_max_bytes: settings.cache_near.then_some(settings.cache_near_max_bytes),
                sentinels: sentinels(settings),
                nodes: (settings.cache_redis_mode == CacheRedisMode::Cluster)
                    // Checked when the settings were loaded.
                    .then(|| server_addresses(&settings.cache_redis_nodes).unwrap_or_default()),
            },
            memcached: MemcachedOptions {
                servers: memcached_servers(settings),
                connect_timeout: Duration::from_secs(settings.cache_memcached_connect_timeout),
                pool_size: settings.cache_memcached_pool_size,
            },
            memory_max_bytes: settings.cache_memory_max_bytes,
        }
    }
}

/// The Sentinels, in the mode that has them.
fn sentinels(settings: &CacheSettings) -> Option<SentinelOptions> {
    let has_sentinels = settings.cache_redis_mode == CacheRedisMode::Sentinel;
    has_sentinels.then(|| SentinelOptions {
        // Checked when the settings were loaded.
        servers: server_addresses(&settings.cache_redis_sentinels).unwrap_or_default(),
        master: settings.cache_redis_sentinel_master.clone(),
        username: settings.cache_redis_sentinel_username.clone(),
        password: settings.cache_redis_sentinel_password.clone(),
    })
}

/// The servers of the list, or the one of host and port.
fn memcached_servers(settings: &CacheSettings) -> Vec<ServerAddress> {
    // Checked when the settings were loaded.
    let servers = server_addresses(&settings.cache_memcached_servers).unwrap_or_default();
    if !servers.is_empty() {
        return servers;
    }
    vec![ServerAddress {
        host: settings.cache_memcached_host.clone(),
        port: settings.cache_memcached_port,
    }]
}

fn is_set(secret: &SecretString) -> bool {
    !secret.expose_secret().is_empty()
}

fn kind(kind: CacheBackendKind) -> BackendKind {
    match kind {
        CacheBackendKind::Redis => BackendKind::Redis,
        CacheBackendKind::Memcached => BackendKind::Memcached,
        CacheBackendKind::Memory => BackendKind::Memory,
    }
}
