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

/// The configuration of the service. All other settings are the defaults of production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Its cache.
    pub cache: ServiceCache,
    /// Whether it writes an access log, as by default. Without it, it writes no log.
    pub access_log: bool,
    /// Whether all protection is on: a limit of requests that nobody reaches, CORS, HSTS and trusted proxies.
    pub protection: bool,
    /// Its observation, which is off by default.
    pub observation: Observation,
    /// Whether it has idle connections beside those of the load.
    pub idle_connections: bool,
}

/// The observation of the service besides its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observation {
    /// Nothing.
    None,
    /// Metrics are collected, for a port of operators.
    Metrics,
    /// One percent of the hits is verified (`CACHE_VERIFY_PERCENT=1`).
    Verification,
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

impl Service {
    const fn plain(cache: ServiceCache) -> Self {
        Self {
            cache,
            access_log: false,
            protection: false,
            observation: Observation::None,
            idle_connections: false,
        }
    }
}

impl Program {
    /// The service without an access log.
    pub const fn service(cache: ServiceCache) -> Self {
        Self::Service(Service::plain(cache))
    }

    /// The service with all protection on, without an access log.
    pub const fn protected_service(cache: ServiceCache) -> Self {
        Self::Service(Service {
            protection: true,
            ..Service::plain(cache)
        })
    }

    /// The service with its access log.
    pub const fn logging_service(cache: ServiceCache) -> Self {
        Self::Service(Service {
            access_log: true,
            ..Service::plain(cache)
        })
    }

    /// The service under observation, without an access log.
    pub const fn observed_service(cache: ServiceCache, observation: Observation) -> Self {
        Self::Service(Service {
            observation,
            ..Service::plain(cache)
        })
    }

    /// The service with idle connections, without an access log.
    pub const fn service_with_idle_connections(cache: ServiceCache) -> Self {
        Self::Service(Service {
            idle_connections: true,
            ..Service::plain(cache)
        })
    }

    /// Whether it has idle connections beside those of the load.
    pub const fn has_idle_connections(self) -> bool {
        matches!(
            self,
            Self::Service(Service {
                idle_connections: true,
                ..
            })
        )
    }

    /// Whether it is the service, and not a program to compare it with.
    pub const fn is_service(self) -> bool {
        matches!(self, Self::Service(_))
    }

    /// Whether it writes an access log.
    pub const fn has_access_log(self) -> bool {
        matches!(
            self,
            Self::Service(Service {
                access_log: true,
                ..
            }) | Self::Nginx { access_log: true }
        )
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
        let addition = match self {
            Self::Service(Service {
                protection: true, ..
            }) => ", all protection",
            Self::Service(Service {
                observation: Observation::Metrics,
                ..
            }) => ", metrics",
            Self::Service(Service {
                observation: Observation::Verification,
                ..
            }) => ", verification",
            program if program.has_access_log() => ", access log",
            program if program.has_idle_connections() => ", 10 000 idle connections",
            _ => "",
        };
        write!(formatter, "{name}{addition}")
    }
}
