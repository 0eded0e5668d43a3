//! The options of the cache.
//!
//! Come here to add an option. Reading it from the environment and checking it belong to the settings,
//! not here.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// The server that holds the entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BackendKind {
    /// Redis, shared by every instance.
    Redis,
    /// Memcached, shared by every instance.
    Memcached,
    /// This process's memory: one instance, development and tests.
    Memory,
}

/// The options of the cache.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// Whether answers are cached at all.
    pub enabled: bool,
    /// The default backend.
    pub backend: BackendKind,
    /// Further backends by their names, which policies choose with `backend_name` (C22). Backends of one
    /// kind share its options, and so the server.
    pub extra_backends: Vec<(String, BackendKind)>,
    /// The first part of every key. ASCII letters, digits, `_`, `.` and `-` only; empty for none.
    pub namespace: String,
    /// The time that an entry is fresh where its policy gives no time; at least a second.
    pub default_expiration: Duration,
    /// The largest random part by which an expiration is shortened, in percent, at most 100 (C40).
    pub expiration_jitter_percent: u8,
    /// The largest body that is stored, in bytes.
    pub max_body_bytes: usize,
    /// The size from which on answers of routes are stored compressed, in bytes; `None` for never. Clients that accept the coding
    /// `zstd` get them as they are stored.
    pub compress_min_bytes: Option<usize>,
    /// Whether answers carry `Cache-Status`.
    pub status_header: bool,
    /// Whether requests of cached routes carry a [`CacheOutcome`](super::CacheOutcome), for an access log or traces. Making it
    /// costs every hit about three percent.
    pub record_outcomes: bool,
    /// The share of hits, in percent from 0 to 100, for which the handler runs again in the background
    /// and its answer is compared (C50). An entry that differs although nothing invalidated it is an
    /// error in the log, is counted and is deleted. An answer that depends on more than its key, such as
    /// the current time, differs every time.
    pub verify_percent: f64,
    /// The longest time that a request waits for another instance's answer.
    pub collapse_wait: Duration,
    /// The deadline of one operation of a backend.
    pub operation_timeout: Duration,
    /// The Redis server.
    pub redis: RedisOptions,
    /// The Memcached servers.
    pub memcached: MemcachedOptions,
    /// The bound of the memory backend, in bytes.
    pub memory_max_bytes: u64,
}

impl CacheOptions {
    /// The names of the backends that will be registered (C22), or `None` where the cache is off.
    #[must_use]
    pub fn backend_names(&self) -> Option<Vec<&str>> {
        let extra = self.extra_backends.iter().map(|(name, _)| name.as_str());
        self.enabled
            .then(|| ["default"].into_iter().chain(extra).collect())
    }
}

/// The options of the Redis backend.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// A whole address, such as `rediss://user:password@host:port/0` or `redis+unix:///path?db=0`, in place of the host,
    /// the port, the database, the user and the password.
    pub url: Option<SecretString>,
    /// The file of the authority that signs the server's certificate, in PEM; `None` for the authorities of the system.
    /// Only with TLS.
    pub tls_ca_file: Option<PathBuf>,
    /// Host name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether the server at host and port, and the Sentinels, are reached by TLS.
    pub tls: bool,
    /// Number of the database.
    pub database: i64,
    /// The user; empty for `default`.
    pub username: String,
    /// The password; empty for none.
    pub password: SecretString,
    /// The deadline of making a connection.
    pub connect_timeout: Duration,
    /// The number of shared connections; at least one is made.
    pub pool_size: usize,
    /// The bound of the near cache, in bytes; `None` for no near cache.
    pub near_max_bytes: Option<u64>,
    /// The Sentinels that name the server, in place of the address; `None` for one server at its address.
    pub sentinels: Option<SentinelOptions>,
    /// Nodes of a Redis Cluster, in place of the address (C60). An owner of slots is believed if more than half of them name it.
    /// There is no near cache then.
    pub nodes: Option<Vec<ServerAddress>>,
}

/// The Sentinels of a Redis (C60).
#[derive(Clone, Debug)]
pub struct SentinelOptions {
    /// All Sentinels. A master is believed if more than half of them name it.
    pub servers: Vec<ServerAddress>,
    /// The name of the master.
    pub master: String,
    /// The user at the Sentinels; empty for `default`.
    pub username: String,
    /// The password at the Sentinels; empty for none.
    pub password: SecretString,
}

/// The options of the Memcached backend.
#[derive(Clone, Debug)]
pub struct MemcachedOptions {
    /// The servers; keys are distributed among several (C61). At least one.
    pub servers: Vec<ServerAddress>,
    /// The deadline of making a connection.
    pub connect_timeout: Duration,
    /// The number of shared connections to each server; at least one is made.
    pub pool_size: usize,
}

/// The address of a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerAddress {
    /// Host name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// `host:port`, an IPv6 address in brackets. Names of servers in a list are compared in this form.
impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}
