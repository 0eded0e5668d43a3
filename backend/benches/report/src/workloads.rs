//! The usual workloads, the programs of each, and the goals.
//!
//! Come here to add a workload or to change a goal. Those that are measured only where they are named are in
//! `workloads_on_demand`.

use crate::program::{Addition, Program, Reference, ServiceCache};
use crate::workload::{Goal, Requests, Subject, Workload};

const STATIC_BYTES: Program = Program::Reference(Reference::StaticBytes);
const MOKA: Program = Program::Reference(Reference::Moka);
const REDIS_GET: Program = Program::Reference(Reference::Redis);
const MEMCACHED_GET: Program = Program::Reference(Reference::Memcached);
const ROW: Program = Program::Reference(Reference::Row);
const NGINX: Program = Program::Nginx { access_log: false };
const LOGGING_NGINX: Program = Program::Nginx { access_log: true };
const MEMORY: Program = Program::service(ServiceCache::Memory);
const PROTECTED_MEMORY: Program = Program::service_with(Addition::Protection, ServiceCache::Memory);
const COMPRESSED_MEMORY: Program =
    Program::service_with(Addition::Compression, ServiceCache::Memory);
const LOGGING_MEMORY: Program = Program::service_with(Addition::AccessLog, ServiceCache::Memory);
const REDIS: Program = Program::service(ServiceCache::Redis);
const REDIS_BY_TLS: Program = Program::service(ServiceCache::RedisByTls);
const CLUSTER: Program = Program::service(ServiceCache::Cluster);
const LOGGING_REDIS: Program = Program::service_with(Addition::AccessLog, ServiceCache::Redis);
const NEAR: Program = Program::service(ServiceCache::Near);
const LOGGING_NEAR: Program = Program::service_with(Addition::AccessLog, ServiceCache::Near);
const MEMCACHED: Program = Program::service(ServiceCache::Memcached);
const NEAR_WITH_METRICS: Program = Program::service_with(Addition::Metrics, ServiceCache::Near);
const NEAR_WITH_VERIFICATION: Program =
    Program::service_with(Addition::Verification, ServiceCache::Near);
const DISABLED: Program = Program::service(ServiceCache::Disabled);
const DOWN: Program = Program::service(ServiceCache::Down);

/// Hits with answers of this size.
const fn bodies(name: &'static str, title: &'static str, kibibytes: u16) -> Workload {
    Workload {
        name,
        title,
        description: "One hot key, whose answer has this size.",
        requests: Requests::Body(kibibytes),
        subjects: BODY_SUBJECTS,
    }
}

const BODY_SUBJECTS: &[Subject] = &[
    Subject::new(MEMORY).against(NGINX).goals(BODY_GOALS),
    Subject::new(NGINX),
    Subject::new(REDIS).against(NGINX),
];

/// Shown with the size.
const BODY_GOALS: &[Goal] = &[
    Goal::rate("hit in memory, of nginx proxy_cache", NGINX, 0.90),
    Goal::processor_time(
        "hit in memory, of nginx proxy_cache (CPU time)",
        NGINX,
        1.00,
    ),
];

/// All workloads.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "hot-key",
        title: "One hot key",
        description: "Every request reads the same widget, which is in the cache. Hits without a round trip are judged \
                      by CPU time: requests per second are those of the load generator as much as theirs.",
        requests: Requests::OneKey,
        subjects: &[
            Subject::new(NEAR).against(STATIC_BYTES).goals(&[
                Goal::processor_time("near hit, of static bytes (CPU time)", STATIC_BYTES, 0.95),
                Goal::processor_time("near hit, of nginx proxy_cache (CPU time)", NGINX, 1.00),
            ]),
            Subject::new(STATIC_BYTES),
            Subject::new(MEMORY).against(STATIC_BYTES).goals(&[
                Goal::processor_time(
                    "hit in memory, of static bytes (CPU time)",
                    STATIC_BYTES,
                    0.90,
                ),
                Goal::processor_time(
                    "hit in memory, of nginx proxy_cache (CPU time)",
                    NGINX,
                    1.00,
                ),
            ]),
            Subject::new(PROTECTED_MEMORY)
                .against(MEMORY)
                .goals(&[Goal::processor_time(
                    "hit in memory with all protection, of one without (CPU time)",
                    MEMORY,
                    0.98,
                )]),
            Subject::new(NGINX),
            Subject::new(LOGGING_MEMORY).against(LOGGING_NGINX).goals(&[
                Goal::processor_time(
                    "hit in memory, of nginx proxy_cache, access logs on (CPU time)",
                    LOGGING_NGINX,
                    1.00,
                ),
                Goal::rate(
                    "hit in memory with the access log, of static bytes without",
                    STATIC_BYTES,
                    0.75,
                ),
            ]),
            Subject::new(LOGGING_NGINX),
            Subject::new(LOGGING_NEAR)
                .against(LOGGING_NGINX)
                .goals(&[Goal::processor_time(
                    "near hit, of nginx proxy_cache, access logs on (CPU time)",
                    LOGGING_NGINX,
                    1.00,
                )]),
            Subject::new(MOKA),
            Subject::new(REDIS).against(REDIS_GET).goals(&[Goal::rate(
                "hit in Redis, of one bare GET",
                REDIS_GET,
                0.95,
            )]),
            Subject::new(REDIS_GET),
            Subject::new(REDIS_BY_TLS)
                .against(REDIS)
                .goals(&[Goal::rate("hit with TLS, of one without", REDIS, 0.70)]),
            Subject::new(LOGGING_REDIS)
                .against(REDIS_GET)
                .goals(&[Goal::rate(
                    "hit in Redis with the access log, of one bare GET",
                    REDIS_GET,
                    0.80,
                )]),
            Subject::new(MEMCACHED_GET),
            Subject::new(MEMCACHED)
                .against(MEMCACHED_GET)
                .goals(&[Goal::rate(
                    "hit in Memcached, of one bare get",
                    MEMCACHED_GET,
                    0.95,
                )]),
        ],
    },
    Workload {
        name: "near",
        title: "Near cache under observation",
        description: "One hot key in the near cache, without and with what an operator can turn on. The events for the console are \
                      always on.",
        requests: Requests::OneKey,
        subjects: &[
            Subject::new(NEAR).against(STATIC_BYTES),
            Subject::new(STATIC_BYTES),
            Subject::new(NEAR_WITH_METRICS)
                .against(NEAR)
                .goals(&[Goal::processor_time(
                    "near hit with metrics, of one without (CPU time)",
                    NEAR,
                    0.97,
                )]),
            Subject::new(NEAR_WITH_VERIFICATION)
                .against(NEAR)
                .goals(&[Goal::processor_time(
                    "near hit with verification of 1 %, of one without (CPU time)",
                    NEAR,
                    0.97,
                )]),
        ],
    },
    Workload {
        name: "compression",
        title: "Lists of 100 widgets, compressed",
        description: "One list of 100 widgets with descriptions of 28 words, for clients that accept zstd: stored and sent as it \
                      is, and compressed (`CACHE_COMPRESS_MIN_BYTES=1024`).",
        requests: Requests::List,
        subjects: &[
            Subject::new(COMPRESSED_MEMORY)
                .against(MEMORY)
                .goals(&[Goal::processor_time(
                    "hit of a compressed list, of one that is not (CPU time)",
                    MEMORY,
                    0.95,
                )]),
            Subject::new(MEMORY),
        ],
    },
    bodies("body-1k", "Answers of 1 KiB", 1),
    bodies("body-16k", "Answers of 16 KiB", 16),
    bodies("body-256k", "Answers of 256 KiB", 256),
    bodies("body-1m", "Answers of 1 MiB", 1024),
    Workload {
        name: "zipf",
        title: "100 000 keys, Zipf",
        description: "Reads of 100 000 widgets, all in the cache, with a Zipf distribution of exponent 0.99. The near \
                      cache holds the hotter ones of them.",
        requests: Requests::Zipf,
        subjects: &[
            Subject::new(MOKA),
            Subject::new(MEMORY).against(MOKA),
            Subject::new(NEAR).against(REDIS_GET),
            Subject::new(REDIS_GET),
            Subject::new(REDIS).against(REDIS_GET),
            Subject::new(CLUSTER).against(REDIS).goals(&[Goal::rate(
                "hit on a Cluster of three, of one Redis",
                REDIS,
                0.90,
            )]),
            Subject::new(MEMCACHED_GET),
            Subject::new(MEMCACHED).against(MEMCACHED_GET),
        ],
    },
    Workload {
        name: "mixed",
        title: "95 % reads, 5 % writes",
        description: "The same, but every twentieth request is a PATCH by the owner, which invalidates the widget and \
                      the lists. Compared with no cache.",
        requests: Requests::ZipfWithWrites,
        subjects: &[
            Subject::new(MEMORY).against(DISABLED),
            Subject::new(NEAR).against(DISABLED),
            Subject::new(DISABLED),
            Subject::new(REDIS).against(DISABLED).goals(&[Goal::rate(
                "95 % reads and 5 % writes with the feed and Redis, of no cache",
                DISABLED,
                0.90,
            )]),
            Subject::new(MEMCACHED).against(DISABLED),
        ],
    },
    Workload {
        name: "half-writes",
        title: "50 % reads, 50 % writes",
        description: "The same, but every second request is a PATCH.",
        requests: Requests::ZipfHalfWrites,
        subjects: &[
            Subject::new(MEMORY).against(DISABLED).goals(&[Goal::rate(
                "50 % reads and 50 % writes with the feed and memory, of no cache",
                DISABLED,
                1.00,
            )]),
            Subject::new(DISABLED),
            Subject::new(REDIS).against(DISABLED).goals(&[Goal::rate(
                "50 % reads and 50 % writes with the feed and Redis, of no cache",
                DISABLED,
                1.00,
            )]),
            Subject::new(MEMCACHED)
                .against(DISABLED)
                .goals(&[Goal::rate(
                    "50 % reads and 50 % writes with the feed and Memcached, of no cache",
                    DISABLED,
                    1.00,
                )]),
        ],
    },
    Workload {
        name: "writes",
        title: "Writes at saturation",
        description: "Every request is a PATCH by the owner. The answer waits until the database feed has delivered the \
                      change. Compared with no cache, where the triggers record but nothing is delivered.",
        requests: Requests::Writes,
        subjects: &[
            Subject::new(DISABLED),
            Subject::new(REDIS).against(DISABLED).goals(&[Goal::rate(
                "writes with the feed and Redis, of no cache",
                DISABLED,
                0.75,
            )]),
            Subject::new(MEMCACHED).against(DISABLED),
        ],
    },
    Workload {
        name: "single-writes",
        title: "Single writes",
        description: "The same over one connection: the median latency of a PATCH that meets no other, with a pass of its \
                      own.",
        requests: Requests::SingleWrites,
        subjects: &[
            Subject::new(DISABLED),
            Subject::new(REDIS).against(DISABLED).adds_at_most(
                1.5,
                "median latency that the feed and Redis add to a single write",
            ),
            Subject::new(MEMCACHED).against(DISABLED),
        ],
    },
    Workload {
        name: "misses",
        title: "All misses",
        description: "Every request reads a widget that nobody has read before: a look-up, a claim, one row of \
                      PostgreSQL and a fill.",
        requests: Requests::Once,
        subjects: &[
            Subject::new(MEMORY).against(ROW).goals(&[Goal::rate(
                "miss with its fill in memory, of one bare row",
                ROW,
                0.90,
            )]),
            Subject::new(ROW),
            Subject::new(REDIS).against(ROW).goals(&[Goal::rate(
                "miss with its fill in Redis, of one bare row",
                ROW,
                0.80,
            )]),
            Subject::new(MEMCACHED).against(ROW).goals(&[Goal::rate(
                "miss with its fill in Memcached, of one bare row",
                ROW,
                0.80,
            )]),
        ],
    },
    Workload {
        name: "without-cache",
        title: "Cache disabled, backend down",
        description: "One widget without a cache: `CACHE_ENABLED=false`, and a Redis that is not there (breaker open).",
        requests: Requests::OneKey,
        subjects: &[
            Subject::new(ROW),
            Subject::new(DISABLED).against(ROW).goals(&[Goal::rate(
                "`CACHE_ENABLED=false`, of one bare row",
                ROW,
                0.95,
            )]),
            Subject::new(DOWN).against(DISABLED).goals(&[Goal::rate(
                "backend down, of `CACHE_ENABLED=false`",
                DISABLED,
                0.95,
            )]),
        ],
    },
];
