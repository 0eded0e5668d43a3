//! The rows of the cache's variables (`CACHE_*`): kind, default and meaning.
//!
//! Come here to add or change such a row. The fields with their checks are in `cache`.

use super::variable::{Kind, Section, Variable};

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
            name: "CACHE_REDIS_MODE",
            kind: Kind::Choice(&["single", "sentinel", "cluster"]),
            default: "single",
            meaning: "The servers that Redis consists of: one at one address, a master that Sentinels name, or several masters of a Redis Cluster: see docs/servers.md",
        },
        Variable {
            name: "CACHE_REDIS_URL",
            kind: Kind::Secret(
                "redis://user:password@host:port/0, rediss:// for TLS, or redis+unix:///path?db=0, with special characters percent-encoded",
            ),
            default: "",
            meaning: "The whole address of Redis in one; it replaces the host, the port, the database, the user and the password",
        },
        Variable {
            name: "CACHE_REDIS_TLS_CA_FILE",
            kind: Kind::Text("the path of a file with certificates in PEM"),
            default: "",
            meaning: "The authority of Redis's certificate, with TLS; the system's authorities if it is empty",
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
            name: "CACHE_REDIS_USERNAME",
            kind: Kind::Text("the name of a user of Redis"),
            default: "",
            meaning: "User of Redis; empty for the user `default`",
        },
        Variable {
            name: "CACHE_REDIS_PASSWORD",
            kind: Kind::Secret("a password"),
            default: "",
            meaning: "Password of Redis; empty for none",
        },
        Variable {
            name: "CACHE_REDIS_TLS",
            kind: Kind::Flag,
            default: "false",
            meaning: "Whether the host and the port, the Sentinels and their master, or the nodes of the Cluster are reached by TLS; with `CACHE_REDIS_URL` its `rediss://` decides",
        },
        Variable {
            name: "CACHE_REDIS_NODES",
            kind: Kind::Text(
                "host:port of nodes of a Redis Cluster, separated by commas, an IPv6 address in brackets",
            ),
            default: "",
            meaning: "Three or five nodes of a Redis Cluster, with `CACHE_REDIS_MODE=cluster`; more than half of them must name the same owner of a slot",
        },
        Variable {
            name: "CACHE_REDIS_SENTINELS",
            kind: Kind::Text(
                "host:port of each Sentinel, separated by commas, an IPv6 address in brackets",
            ),
            default: "",
            meaning: "All Sentinels, with `CACHE_REDIS_MODE=sentinel`; more than half of them must name the same master",
        },
        Variable {
            name: "CACHE_REDIS_SENTINEL_MASTER",
            kind: Kind::Text("the name of a master"),
            default: "mymaster",
            meaning: "The name under which the Sentinels know the master",
        },
        Variable {
            name: "CACHE_REDIS_SENTINEL_USERNAME",
            kind: Kind::Text("the name of a user of the Sentinels"),
            default: "",
            meaning: "User at the Sentinels; empty for the user `default`",
        },
        Variable {
            name: "CACHE_REDIS_SENTINEL_PASSWORD",
            kind: Kind::Secret("a password"),
            default: "",
            meaning: "Password of the Sentinels; empty for none. That of the master is `CACHE_REDIS_PASSWORD`",
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
            name: "CACHE_COMPRESS_MIN_BYTES",
            kind: Kind::number("bytes", 0, 536_870_912),
            default: "0",
            meaning: "Answers of this size and above, in bytes, are stored compressed with zstd, and sent so to clients that accept it; 0 for never: see docs/caching.md",
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
