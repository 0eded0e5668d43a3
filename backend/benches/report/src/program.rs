//! The programs that can be measured, their names, and the check of their answers.
//!
//! Come here to measure another program.

use std::fmt;

use crate::client::Answer;

/// A program that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// A reference program, which does the least.
    Reference(Reference),
    /// This service.
    Service(Service),
    /// nginx with its `proxy_cache`, in front of the service without a cache.
    Nginx {
        /// Whether it writes an access log, in its default format.
        access_log: bool,
    },
}

/// The work of a reference program for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// Nothing.
    StaticBytes,
    /// A look-up in moka.
    Moka,
    /// One GET in Redis.
    Redis,
    /// One get in Memcached.
    Memcached,
    /// One row of PostgreSQL.
    Row,
}

/// The configuration of the service. All other settings are the defaults of production, but for the log, which is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Its cache.
    pub cache: ServiceCache,
    /// The addition to the cache.
    pub addition: Addition,
}

/// A part of the service, or a load, that is measured together with hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addition {
    /// Nothing.
    None,
    /// An access log, as by default.
    AccessLog,
    /// All protection: a limit of requests that nobody reaches, CORS, HSTS and trusted proxies.
    Protection,
    /// Answers of 1 KiB and more are stored compressed.
    Compression,
    /// Metrics are collected, for a port of operators.
    Metrics,
    /// One percent of the hits is verified (`CACHE_VERIFY_PERCENT=1`).
    Verification,
    /// Idle connections beside those of the load.
    IdleConnections,
    /// Slow readers and slow senders beside the load.
    SlowClients,
}

/// The service's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceCache {
    /// `CACHE_BACKEND=memory`.
    Memory,
    /// `CACHE_BACKEND=redis`.
    Redis,
    /// The same server by TLS.
    RedisByTls,
    /// `CACHE_REDIS_MODE=cluster`, three masters.
    Cluster,
    /// `CACHE_BACKEND=redis` with `CACHE_NEAR=true`.
    Near,
    /// `CACHE_BACKEND=memcached`.
    Memcached,
    /// `CACHE_ENABLED=false`.
    Disabled,
    /// `CACHE_BACKEND=redis`, without a server.
    Down,
}

impl Program {
    /// The service without an addition.
    pub const fn service(cache: ServiceCache) -> Self {
        Self::service_with(Addition::None, cache)
    }

    /// The service with an addition.
    pub const fn service_with(addition: Addition, cache: ServiceCache) -> Self {
        Self::Service(Service { cache, addition })
    }

    /// The addition to its cache; none for a program that is not the service.
    pub const fn addition(self) -> Addition {
        match self {
            Self::Service(service) => service.addition,
            Self::Reference(_) | Self::Nginx { .. } => Addition::None,
        }
    }

    /// Whether it is the service, and not a program to compare it with.
    pub const fn is_service(self) -> bool {
        matches!(self, Self::Service(_))
    }

    /// Whether it writes an access log.
    pub const fn has_access_log(self) -> bool {
        matches!(self.addition(), Addition::AccessLog)
            || matches!(self, Self::Nginx { access_log: true })
    }

    /// Whether it has a cache, which must be filled before its hits are measured.
    pub const fn has_cache(self) -> bool {
        match self {
            Self::Service(service) => {
                !matches!(service.cache, ServiceCache::Disabled | ServiceCache::Down)
            }
            _ => false,
        }
    }

    /// The fault of an answer with a key that was read before, such as a miss where hits are measured.
    pub fn problem(self, answer: &Answer) -> Option<String> {
        let (header, expected) = match self {
            Self::Reference(_) => return None,
            Self::Nginx { .. } => ("x-proxy-cache", "HIT"),
            Self::Service(service) => match service.cache {
                ServiceCache::Disabled => ("cache-status", "detail=disabled"),
                ServiceCache::Down => ("cache-status", "detail=unavailable"),
                _ => ("cache-status", "; hit;"),
            },
        };
        let status = answer.header(header).unwrap_or_default();
        if status.contains(expected) {
            None
        } else {
            Some(format!("{header} is `{status}` and not `{expected}`"))
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Reference(Reference::StaticBytes) => "static bytes",
            Self::Reference(Reference::Moka) => "moka look-up",
            Self::Reference(Reference::Redis) => "Redis GET",
            Self::Reference(Reference::Memcached) => "Memcached get",
            Self::Reference(Reference::Row) => "sqlx row",
            Self::Service(service) => match service.cache {
                ServiceCache::Memory => "service, memory",
                ServiceCache::Redis => "service, Redis",
                ServiceCache::RedisByTls => "service, Redis by TLS",
                ServiceCache::Cluster => "service, Redis Cluster of three",
                ServiceCache::Near => "service, near cache",
                ServiceCache::Memcached => "service, Memcached",
                ServiceCache::Disabled => "service, cache disabled",
                ServiceCache::Down => "service, backend down",
            },
            Self::Nginx { .. } => "nginx proxy_cache",
        };
        let addition = match self.addition() {
            Addition::None if self.has_access_log() => ", access log",
            Addition::None => "",
            Addition::AccessLog => ", access log",
            Addition::Protection => ", all protection",
            Addition::Compression => ", compressed",
            Addition::Metrics => ", metrics",
            Addition::Verification => ", verification",
            Addition::IdleConnections => ", 10 000 idle connections",
            Addition::SlowClients => ", 400 slow clients",
        };
        write!(formatter, "{name}{addition}")
    }
}
