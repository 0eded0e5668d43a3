//! The settings of the response cache (`CACHE_*`).
//!
//! Come here to add or change such a setting: its field is here, its row in `cache_variables`. It reaches the cache by
//! `cache_options`.

use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;

use super::extra_backends::names_and_kinds;
use super::redis_address::{is_authority_file, is_redis_url};
use super::server_addresses::addresses;

/// The server that holds the entries.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum CacheBackendKind {
    /// Redis, shared by every instance.
    Redis,
    /// Memcached, shared by every instance.
    Memcached,
    /// This process's memory: one instance, development and tests.
    Memory,
}

/// The servers that Redis consists of.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum CacheRedisMode {
    /// One server at one address.
    #[default]
    Single,
    /// A master that Sentinels name.
    Sentinel,
    /// Redis Cluster.
    Cluster,
}

/// Settings of the response cache.
#[derive(Clone, Debug, Deserialize, Validate)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "settings")]
pub struct CacheSettings {
    /// `CACHE_ENABLED`: whether answers are cached at all.
    #[garde(skip)]
    pub cache_enabled: bool,
    /// `CACHE_BACKEND`: `redis`, `memcached` or `memory`.
    #[garde(skip)]
    pub cache_backend: CacheBackendKind,
    /// `CACHE_EXTRA_BACKENDS`: `name:kind`, separated by commas; empty for none.
    #[garde(custom(names_and_kinds))]
    pub cache_extra_backends: String,
    /// `CACHE_DATABASE_FEED`: whether recorded changes are delivered to the cache.
    #[garde(skip)]
    pub cache_database_feed: bool,
    /// `DEFAULT_CACHE_EXPIRATION`: seconds, for policies without an expiration; not 0.
    #[garde(range(min = 1, max = 315_360_000))]
    pub default_cache_expiration: u64,
    /// `CACHE_NAMESPACE`: the first part of every key.
    #[garde(length(max = 64), pattern("^[A-Za-z0-9_.-]*$"))]
    pub cache_namespace: String,
    /// `CACHE_REDIS_MODE`: `single`, `sentinel` or `cluster`.
    #[garde(skip)]
    pub cache_redis_mode: CacheRedisMode,
    /// `CACHE_REDIS_URL`: a whole address in place of host, port, database, user and password; empty for none.
    #[garde(custom(is_redis_url))]
    pub cache_redis_url: SecretString,
    /// `CACHE_REDIS_TLS_CA_FILE`: the file of the authority of an address with TLS; empty for the system's.
    #[garde(custom(is_authority_file))]
    pub cache_redis_tls_ca_file: String,
    /// `CACHE_REDIS_HOST`.
    #[garde(length(min = 1))]
    pub cache_redis_host: String,
    /// `CACHE_REDIS_PORT`.
    #[garde(range(min = 1))]
    pub cache_redis_port: u16,
    /// `CACHE_REDIS_DB`: number of the database.
    #[garde(range(min = 0))]
    pub cache_redis_db: i64,
    /// `CACHE_REDIS_USERNAME`: empty for the user `default`.
    #[garde(skip)]
    pub cache_redis_username: String,
    /// `CACHE_REDIS_PASSWORD`: empty for none.
    #[garde(skip)]
    pub cache_redis_password: SecretString,
    /// `CACHE_REDIS_TLS`: whether host and port, Sentinels and their master, or nodes of a Cluster are reached by TLS.
    #[garde(skip)]
    pub cache_redis_tls: bool,
    /// `CACHE_REDIS_NODES`: `host:port,…` of nodes of a Redis Cluster; only with the mode `cluster`.
    #[garde(custom(addresses))]
    pub cache_redis_nodes: String,
    /// `CACHE_REDIS_SENTINELS`: `host:port,…` of all Sentinels; only with the mode `sentinel`.
    #[garde(custom(addresses))]
    pub cache_redis_sentinels: String,
    /// `CACHE_REDIS_SENTINEL_MASTER`: the name of the master.
    #[garde(length(min = 1))]
    pub cache_redis_sentinel_master: String,
    /// `CACHE_REDIS_SENTINEL_USERNAME`: empty for the user `default`.
    #[garde(skip)]
    pub cache_redis_sentinel_username: String,
    /// `CACHE_REDIS_SENTINEL_PASSWORD`: empty for none.
    #[garde(skip)]
    pub cache_redis_sentinel_password: SecretString,
    /// `CACHE_REDIS_CONNECT_TIMEOUT`: seconds.
    #[garde(range(min = 1, max = 300))]
    pub cache_redis_connect_timeout: u64,
    /// `CACHE_REDIS_POOL_SIZE`: number of shared connections.
    #[garde(range(min = 1, max = 1000))]
    pub cache_redis_pool_size: usize,
    /// `CACHE_NEAR`: whether this process's memory also answers hits; with Redis only.
    #[garde(skip)]
    pub cache_near: bool,
    /// `CACHE_NEAR_MAX_BYTES`: bound of the near cache, in bytes.
    #[garde(range(min = 65_536))]
    pub cache_near_max_bytes: u64,
    /// `CACHE_MEMCACHED_HOST`.
    #[garde(length(min = 1))]
    pub cache_memcached_host: String,
    /// `CACHE_MEMCACHED_PORT`.
    #[garde(range(min = 1))]
    pub cache_memcached_port: u16,
    /// `CACHE_MEMCACHED_SERVERS`: `host:port,…`, in place of host and port; empty for one server.
    #[garde(custom(addresses))]
    pub cache_memcached_servers: String,
    /// `CACHE_MEMCACHED_POOL_SIZE`: number of shared connections to each server.
    #[garde(range(min = 1, max = 1000))]
    pub cache_memcached_pool_size: usize,
    /// `CACHE_MEMCACHED_CONNECT_TIMEOUT`: seconds.
    #[garde(range(min = 1, max = 300))]
    pub cache_memcached_connect_timeout: u64,
    /// `CACHE_MEMORY_MAX_BYTES`: bound of the memory backend, in bytes.
    #[garde(range(min = 65_536))]
    pub cache_memory_max_bytes: u64,
    /// `CACHE_OPERATION_TIMEOUT_MS`: deadline of one cache operation, in milliseconds.
    #[garde(range(min = 1, max = 60_000))]
    pub cache_operation_timeout_ms: u64,
    /// `CACHE_MAX_BODY_BYTES`: the largest body that is stored, in bytes.
    #[garde(range(min = 1, max = 536_870_912))]
    pub cache_max_body_bytes: usize,
    /// `CACHE_COMPRESS_MIN_BYTES`: the size from which on answers are stored compressed, in bytes; 0 for never.
    #[garde(range(max = 536_870_912))]
    pub cache_compress_min_bytes: usize,
    /// `CACHE_STATUS_HEADER`: whether answers carry `Cache-Status`.
    #[garde(skip)]
    pub cache_status_header: bool,
    /// `CACHE_COLLAPSE_WAIT_MS`: the longest time that a request waits for another instance's answer, in
    /// milliseconds.
    #[garde(range(max = 10_000))]
    pub cache_collapse_wait_ms: u64,
    /// `CACHE_EXPIRATION_JITTER_PERCENT`: the largest part by which expirations are shortened, in
    /// percent.
    #[garde(range(max = 100))]
    pub cache_expiration_jitter_percent: u8,
    /// `CACHE_VERIFY_PERCENT`: the share of hits whose handlers run again to find stale entries, in
    /// percent; fractions are allowed.
    #[garde(range(min = 0.0, max = 100.0))]
    pub cache_verify_percent: f64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            cache_enabled: true,
            cache_backend: CacheBackendKind::Redis,
            cache_extra_backends: String::new(),
            cache_database_feed: true,
            default_cache_expiration: 3600,
            cache_namespace: String::new(),
            cache_redis_mode: CacheRedisMode::Single,
            cache_redis_url: SecretString::default(),
            cache_redis_tls_ca_file: String::new(),
            cache_redis_host: "localhost".to_owned(),
            cache_redis_port: 6379,
            cache_redis_db: 0,
            cache_redis_username: String::new(),
            cache_redis_password: SecretString::default(),
            cache_redis_tls: false,
            cache_redis_nodes: String::new(),
            cache_redis_sentinels: String::new(),
            cache_redis_sentinel_master: "mymaster".to_owned(),
            cache_redis_sentinel_username: String::new(),
            cache_redis_sentinel_password: SecretString::default(),
            cache_redis_connect_timeout: 5,
            cache_redis_pool_size: 10,
            cache_near: false,
            cache_near_max_bytes: 32 * 1024 * 1024,
            cache_memcached_host: "localhost".to_owned(),
            cache_memcached_port: 11211,
            cache_memcached_servers: String::new(),
            cache_memcached_pool_size: 10,
            cache_memcached_connect_timeout: 5,
            cache_memory_max_bytes: 64 * 1024 * 1024,
            cache_operation_timeout_ms: 250,
            cache_max_body_bytes: 1024 * 1024,
            cache_compress_min_bytes: 0,
            cache_status_header: true,
            cache_collapse_wait_ms: 1000,
            cache_expiration_jitter_percent: 5,
            cache_verify_percent: 0.0,
        }
    }
}
