//! The settings of the response cache (`CACHE_*`).
//!
//! Come here to add or change such a setting. It reaches the cache by `cache_options`.

use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;

use super::extra_backends::names_and_kinds;
use super::server_addresses::addresses;
use super::variable::{Kind, Section, Variable};

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

/// The variables of the cache.
pub(super) const SECTION: Section = Section {
    title: "Cache",
    variables: &[
        Variable {
            name: "CACHE_ENABLED",
            kind: Kind::Flag,
            default: "true",
            meaning: "Whether answers are cached; with `false` every request runs its handler, and nothing connects to a backend",
        },
        Variable {
            name: "CACHE_BACKEND",
            kind: Kind::Choice(&["redis", "memcached", "memory"]),
            default: "redis",
            meaning: "The server that holds the entries; `memory` is for one instance only",
        },
        Variable {
            name: "CACHE_EXTRA_BACKENDS",
            kind: Kind::Text("names with their kinds, such as `hot:memory,shared:memcached`"),
            default: "",
            meaning: "Further backends for policies with `backend_name(\"hot\")`; those of one kind use the variables of that kind",
        },
        Variable {
            name: "CACHE_DATABASE_FEED",
            kind: Kind::Flag,
            default: "true",
            meaning: "Whether changes that the database records are delivered to the cache, whoever made them: see docs/database-feed.md",
        },
        Variable {
            name: "DEFAULT_CACHE_EXPIRATION",
            kind: Kind::number("seconds", 1, 315_360_000),
            default: "3600",
            meaning: "Seconds an answer is kept where its policy names no time",
        },
        Variable {
            name: "CACHE_NAMESPACE",
            kind: Kind::Text("up to 64 letters, digits, `_`, `.` and `-`"),
            default: "",
            meaning: "First part of every key, so that several programs can share a server; the name of the program and `ENVIRONMENT`, such as `backend-development`, if it is empty",
        },
        Variable {
            name: "CACHE_REDIS_HOST",
            kind: Kind::Text("a host name or address"),
            default: "localhost",
            meaning: "Where Redis is",
        },
        Variable {
            name: "CACHE_REDIS_PORT",
            kind: Kind::number("a port", 1, 65_535),
            default: "6379",
            meaning: "Port of Redis",
        },
        Variable {
            name: "CACHE_REDIS_DB",
            kind: Kind::number("the number of a database", 0, 2_147_483_647),
            default: "0",
            meaning: "Number of the database in Redis",
        },
        Variable {
            name: "CACHE_REDIS_PASSWORD",
            kind: Kind::Secret("a password"),
            default: "",
            meaning: "Password of Redis; empty for none",
        },
        Variable {
            name: "CACHE_REDIS_CONNECT_TIMEOUT",
            kind: Kind::number("seconds", 1, 300),
            default: "5",
            meaning: "Seconds to wait for a connection to Redis",
        },
        Variable {
            name: "CACHE_REDIS_POOL_SIZE",
            kind: Kind::number("a number of connections", 1, 1000),
            default: "10",
            meaning: "Connections to Redis, shared by all requests",
        },
        Variable {
            name: "CACHE_NEAR",
            kind: Kind::Flag,
            default: "false",
            meaning: "Whether hits come from the memory of this process too, kept coherent by Redis; only with `CACHE_BACKEND=redis`",
        },
        Variable {
            name: "CACHE_NEAR_MAX_BYTES",
            kind: Kind::number("bytes", 65_536, u64::MAX),
            default: "33554432",
            meaning: "Bound of the near cache, in bytes",
        },
        Variable {
            name: "CACHE_MEMCACHED_HOST",
            kind: Kind::Text("a host name or address"),
            default: "localhost",
            meaning: "Where Memcached is",
        },
        Variable {
            name: "CACHE_MEMCACHED_PORT",
            kind: Kind::number("a port", 1, 65_535),
            default: "11211",
            meaning: "Port of Memcached",
        },
        Variable {
            name: "CACHE_MEMCACHED_SERVERS",
            kind: Kind::Text("`host:port,…`, an IPv6 address in brackets"),
            default: "",
            meaning: "Several Memcached servers, among which keys are distributed, in place of host and port: see docs/servers.md",
        },
        Variable {
            name: "CACHE_MEMCACHED_POOL_SIZE",
            kind: Kind::number("a number of connections", 1, 1000),
            default: "10",
            meaning: "Connections to each Memcached server that all requests share for reading; at most as many more for deletions",
        },
        Variable {
            name: "CACHE_MEMCACHED_CONNECT_TIMEOUT",
            kind: Kind::number("seconds", 1, 300),
            default: "5",
            meaning: "Seconds to wait for a connection to Memcached",
        },
        Variable {
            name: "CACHE_MEMORY_MAX_BYTES",
            kind: Kind::number("bytes", 65_536, u64::MAX),
            default: "67108864",
            meaning: "Bound of the memory backend, in bytes",
        },
        Variable {
            name: "CACHE_OPERATION_TIMEOUT_MS",
            kind: Kind::number("milliseconds", 1, 60_000),
            default: "250",
            meaning: "Milliseconds a cache operation may take before the request goes on without it",
        },
        Variable {
            name: "CACHE_MAX_BODY_BYTES",
            kind: Kind::number("bytes", 1, 536_870_912),
            default: "1048576",
            meaning: "Larger answers, in bytes, are not stored",
        },
        Variable {
            name: "CACHE_STATUS_HEADER",
            kind: Kind::Flag,
            default: "true",
            meaning: "Whether answers say in `Cache-Status` what the cache did",
        },
        Variable {
            name: "CACHE_COLLAPSE_WAIT_MS",
            kind: Kind::number("milliseconds", 0, 10_000),
            default: "1000",
            meaning: "Milliseconds a request waits for another instance that is already making the answer",
        },
        Variable {
            name: "CACHE_EXPIRATION_JITTER_PERCENT",
            kind: Kind::number("a percentage", 0, 100),
            default: "5",
            meaning: "Expirations are shortened by up to this much, so that not everything expires at once",
        },
        Variable {
            name: "CACHE_VERIFY_PERCENT",
            kind: Kind::Percentage,
            default: "0",
            meaning: "For this share of the hits the handler runs again; an entry that differs is an error in the log, and so is each answer that depends on more than its key",
        },
    ],
};

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
    /// `CACHE_REDIS_HOST`.
    #[garde(length(min = 1))]
    pub cache_redis_host: String,
    /// `CACHE_REDIS_PORT`.
    #[garde(range(min = 1))]
    pub cache_redis_port: u16,
    /// `CACHE_REDIS_DB`: number of the database.
    #[garde(range(min = 0))]
    pub cache_redis_db: i64,
    /// `CACHE_REDIS_PASSWORD`: empty for none.
    #[garde(skip)]
    pub cache_redis_password: SecretString,
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
            cache_redis_host: "localhost".to_owned(),
            cache_redis_port: 6379,
            cache_redis_db: 0,
            cache_redis_password: SecretString::default(),
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
            cache_status_header: true,
            cache_collapse_wait_ms: 1000,
            cache_expiration_jitter_percent: 5,
            cache_verify_percent: 0.0,
        }
    }
}
