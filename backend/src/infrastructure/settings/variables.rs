//! Every variable: what it may hold, for messages.

/// A variable of ours.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it may hold, to complete "it may hold …".
    pub allowed: &'static str,
    /// Whether what it holds must not be shown.
    pub secret: bool,
}

const fn open(name: &'static str, allowed: &'static str) -> Variable {
    Variable {
        name,
        allowed,
        secret: false,
    }
}

const fn secret(name: &'static str, allowed: &'static str) -> Variable {
    Variable {
        name,
        allowed,
        secret: true,
    }
}

/// All variables, in the order of the settings and of `.env.example`.
pub const VARIABLES: &[Variable] = &[
    open("ENVIRONMENT", "development or production"),
    open("SERVER_HOST", "a host name or address"),
    open("SERVER_PORT", "a port, or 0 for any free one"),
    open("SERVER_WORKERS", "a number of threads from 1 to 1024"),
    open("SERVER_REQUEST_TIMEOUT", "seconds from 1 to 3600"),
    open("SERVER_KEEP_ALIVE", "seconds from 1 to 3600"),
    open(
        "SERVER_MAX_CONNECTIONS",
        "a number of connections from 1 to 1000000",
    ),
    open("SERVER_SHUTDOWN_DELAY", "seconds from 0 to 300"),
    secret(
        "DATABASE_URL",
        "postgres://user:password@host:port/database",
    ),
    open(
        "DATABASE_POOL_SIZE",
        "a number of connections from 1 to 1000",
    ),
    open("DATABASE_CONNECT_TIMEOUT", "seconds from 1 to 300"),
    open("DATABASE_STATEMENT_TIMEOUT", "seconds from 1 to 3600"),
    open("DATABASE_LOCK_TIMEOUT", "seconds from 1 to 3600"),
    open(
        "DATABASE_IDLE_TRANSACTION_TIMEOUT",
        "seconds from 1 to 3600",
    ),
    open("DATABASE_PGBOUNCER", "true or false"),
    open("DATABASE_AUTO_MIGRATE", "true or false"),
    open("CACHE_ENABLED", "true or false"),
    open("CACHE_BACKEND", "redis, memcached or memory"),
    open("DEFAULT_CACHE_EXPIRATION", "seconds from 1 to 315360000"),
    open(
        "CACHE_NAMESPACE",
        "up to 64 letters, digits, `_`, `.` and `-`",
    ),
    open("CACHE_REDIS_HOST", "a host name or address"),
    open("CACHE_REDIS_PORT", "a port from 1 to 65535"),
    open("CACHE_REDIS_DB", "the number of a database, from 0"),
    secret("CACHE_REDIS_PASSWORD", "a password"),
    open("CACHE_REDIS_CONNECT_TIMEOUT", "seconds from 1 to 300"),
    open(
        "CACHE_REDIS_POOL_SIZE",
        "a number of connections from 1 to 1000",
    ),
    open(
        "CACHE_NEAR",
        "true or false; true only with CACHE_BACKEND=redis",
    ),
    open("CACHE_NEAR_MAX_BYTES", "bytes, at least 65536"),
    open("CACHE_MEMCACHED_HOST", "a host name or address"),
    open("CACHE_MEMCACHED_PORT", "a port from 1 to 65535"),
    open(
        "CACHE_MEMCACHED_POOL_SIZE",
        "a number of connections from 1 to 1000",
    ),
    open("CACHE_MEMCACHED_CONNECT_TIMEOUT", "seconds from 1 to 300"),
    open("CACHE_MEMORY_MAX_BYTES", "bytes, at least 65536"),
    open("CACHE_OPERATION_TIMEOUT_MS", "milliseconds from 1 to 60000"),
    open("CACHE_MAX_BODY_BYTES", "bytes from 1 to 536870912"),
    open("CACHE_STATUS_HEADER", "true or false"),
    open("CACHE_COLLAPSE_WAIT_MS", "milliseconds from 0 to 10000"),
    open(
        "CACHE_EXPIRATION_JITTER_PERCENT",
        "a percentage from 0 to 100",
    ),
    open(
        "LOG_LEVEL",
        "trace, debug, info, warn, error, off, or directives such as info,backend=debug",
    ),
    open("LOG_FORMAT", "pretty or json"),
    open(
        "ADMIN_USERNAME",
        "2 to 32 of a-z, 0-9 and `_`, together with ADMIN_EMAIL and ADMIN_PASSWORD",
    ),
    open(
        "ADMIN_EMAIL",
        "an e-mail address, together with ADMIN_USERNAME and ADMIN_PASSWORD",
    ),
    secret(
        "ADMIN_PASSWORD",
        "8 to 128 characters, together with ADMIN_USERNAME and ADMIN_EMAIL",
    ),
];

/// The variable of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// The variable whose name was probably meant.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static Variable> {
    VARIABLES
        .iter()
        .map(|variable| (strsim::damerau_levenshtein(variable.name, name), variable))
        // Short names are near many others by accident.
        .filter(|(distance, variable)| *distance <= if variable.name.len() < 9 { 1 } else { 2 })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, variable)| variable)
}

/// Whether a name begins like one of ours.
#[must_use]
pub fn has_our_prefix(name: &str) -> bool {
    [
        "CACHE_",
        "DEFAULT_CACHE_",
        "DATABASE_",
        "SERVER_",
        "LOG_",
        "ADMIN_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}
