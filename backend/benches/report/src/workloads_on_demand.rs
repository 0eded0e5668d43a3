//! The workloads that are measured only where they are named, since they take long or need many file descriptors.
//!
//! Come here for a question of growth. The usual workloads are in `workloads`.

use crate::program::{Addition, Program, Reference, ServiceCache};
use crate::workload::{Goal, Requests, Subject, Workload};

const STATIC_BYTES: Program = Program::Reference(Reference::StaticBytes);
const REDIS_GET: Program = Program::Reference(Reference::Redis);
const MEMCACHED_GET: Program = Program::Reference(Reference::Memcached);
const MEMORY: Program = Program::service(ServiceCache::Memory);
const REDIS: Program = Program::service(ServiceCache::Redis);
const LOGGING_REDIS: Program = Program::service_with(Addition::AccessLog, ServiceCache::Redis);
const MEMCACHED: Program = Program::service(ServiceCache::Memcached);
const IDLE_MEMORY: Program = Program::service_with(Addition::IdleConnections, ServiceCache::Memory);
const SLOW_MEMORY: Program = Program::service_with(Addition::SlowClients, ServiceCache::Memory);
const IDLE_REDIS: Program = Program::service_with(Addition::IdleConnections, ServiceCache::Redis);

/// All of them.
pub const WORKLOADS_ON_DEMAND: &[Workload] = &[
    Workload {
        name: "spread",
        title: "All keys alike",
        description: "Reads of all widgets (`--keys`), all in the cache, each as often as the others.",
        requests: Requests::Spread,
        subjects: &[
            Subject::new(REDIS).against(REDIS_GET).goals(&[Goal::rate(
                "hits on all keys in Redis, of bare GETs",
                REDIS_GET,
                0.95,
            )]),
            Subject::new(REDIS_GET),
            Subject::new(MEMCACHED)
                .against(MEMCACHED_GET)
                .goals(&[Goal::rate(
                    "hits on all keys in Memcached, of bare gets",
                    MEMCACHED_GET,
                    0.95,
                )]),
            Subject::new(MEMCACHED_GET),
        ],
    },
    Workload {
        name: "connections",
        title: "8 000 busy connections",
        description: "One hot key over 8 000 connections instead of 64.",
        requests: Requests::ManyConnections,
        subjects: &[
            Subject::new(MEMORY).against(STATIC_BYTES),
            Subject::new(STATIC_BYTES),
            Subject::new(REDIS)
                .against(STATIC_BYTES)
                .goals(&[Goal::rate(
                    "hit in Redis over 8 000 connections, of static bytes",
                    STATIC_BYTES,
                    0.90,
                )]),
            Subject::new(LOGGING_REDIS)
                .against(STATIC_BYTES)
                .goals(&[Goal::rate(
                    "hit in Redis with the access log over 8 000 connections, of static bytes",
                    STATIC_BYTES,
                    0.75,
                )]),
        ],
    },
    Workload {
        name: "idle-connections",
        title: "Idle connections and slow clients",
        description: "One hot key over 64 connections, without and with others beside them: 10 000 idle ones, or 200 that read an \
                      answer of 1 MiB at 10 KiB a second and 200 that send a request at 10 bytes a second.",
        requests: Requests::OneKey,
        subjects: &[
            Subject::new(IDLE_MEMORY)
                .against(MEMORY)
                .goals(&[Goal::rate(
                    "hit in memory beside 10 000 idle connections, of one without",
                    MEMORY,
                    0.97,
                )]),
            Subject::new(MEMORY),
            Subject::new(SLOW_MEMORY)
                .against(MEMORY)
                .goals(&[Goal::rate(
                    "hit in memory beside 200 slow readers and 200 slow senders, of one without",
                    MEMORY,
                    0.97,
                )]),
            Subject::new(IDLE_REDIS).against(REDIS).goals(&[Goal::rate(
                "hit in Redis beside 10 000 idle connections, of one without",
                REDIS,
                0.97,
            )]),
            Subject::new(REDIS),
        ],
    },
];
