//! The workloads, the programs of each, and the goals.
//!
//! Come here to add a workload or to change a goal.

use crate::program::{Program, Reference, ServiceCache};

/// The requests of a workload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// Reads of one widget.
    OneKey,
    /// Reads of all widgets, in a Zipf distribution.
    Zipf,
    /// The same, but every twentieth request changes its widget.
    ZipfWithWrites,
    /// Changes of all widgets, in a Zipf distribution.
    Writes,
    /// The same over one connection.
    SingleWrites,
    /// One read of every widget.
    Once,
    /// Reads with a new key each.
    NewKeys,
}

/// The figure by which two programs are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Requests per second.
    Rate,
    /// Processor time per request, for workloads in which the load generator is the bottleneck.
    ProcessorTime,
}

/// A goal: a share of another program's figure.
#[derive(Clone, Copy)]
pub struct Goal {
    /// The goal in words.
    pub text: &'static str,
    /// The other program, in the same workload.
    pub against: Program,
    /// The compared figure.
    pub measure: Measure,
    /// The least share.
    pub share: f64,
}

impl Goal {
    const fn rate(text: &'static str, against: Program, share: f64) -> Self {
        Self {
            text,
            against,
            measure: Measure::Rate,
            share,
        }
    }

    const fn processor_time(text: &'static str, against: Program, share: f64) -> Self {
        Self {
            text,
            against,
            measure: Measure::ProcessorTime,
            share,
        }
    }
}

/// A program in a workload.
pub struct Subject {
    /// The program.
    pub program: Program,
    /// The program with which the table compares it, in the same workload.
    pub against: Option<Program>,
    /// Its goals.
    pub goals: &'static [Goal],
    /// The goal for its median latency.
    pub latency_goal: Option<LatencyGoal>,
}

/// The most milliseconds by which a program's median latency may exceed that of the program in its table row.
#[derive(Clone, Copy)]
pub struct LatencyGoal {
    /// The goal in words.
    pub text: &'static str,
    /// The bound.
    pub milliseconds: f64,
}

impl Subject {
    const fn new(program: Program) -> Self {
        Self {
            program,
            against: None,
            goals: &[],
            latency_goal: None,
        }
    }

    const fn adds_at_most(mut self, milliseconds: f64, text: &'static str) -> Self {
        self.latency_goal = Some(LatencyGoal { text, milliseconds });
        self
    }

    const fn against(mut self, other: Program) -> Self {
        self.against = Some(other);
        self
    }

    const fn goals(mut self, goals: &'static [Goal]) -> Self {
        self.goals = goals;
        self
    }
}

/// One kind of load, and its programs.
pub struct Workload {
    /// Its name.
    pub title: &'static str,
    /// The description on the page.
    pub description: &'static str,
    /// The requests.
    pub requests: Requests,
    /// The programs. Those that are compared stand next to each other, so that they are measured shortly one after the
    /// other.
    pub subjects: &'static [Subject],
}

const STATIC_BYTES: Program = Program::Reference(Reference::StaticBytes);
const MOKA: Program = Program::Reference(Reference::Moka);
const REDIS_GET: Program = Program::Reference(Reference::Redis);
const MEMCACHED_GET: Program = Program::Reference(Reference::Memcached);
const ROW: Program = Program::Reference(Reference::Row);
const NGINX: Program = Program::Nginx { access_log: false };
const LOGGING_NGINX: Program = Program::Nginx { access_log: true };
const MEMORY: Program = Program::service(ServiceCache::Memory);
const PROTECTED_MEMORY: Program = Program::protected_service(ServiceCache::Memory);
const LOGGING_MEMORY: Program = Program::logging_service(ServiceCache::Memory);
const REDIS: Program = Program::service(ServiceCache::Redis);
const LOGGING_REDIS: Program = Program::logging_service(ServiceCache::Redis);
const NEAR: Program = Program::service(ServiceCache::Near);
const LOGGING_NEAR: Program = Program::logging_service(ServiceCache::Near);
const MEMCACHED: Program = Program::service(ServiceCache::Memcached);
const DISABLED: Program = Program::service(ServiceCache::Disabled);
const DOWN: Program = Program::service(ServiceCache::Down);

/// All workloads.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        title: "One hot key",
        description: "Every request reads the same widget, which is in the cache. Hits without a round trip are judged \
                      by CPU time: requests per second are those of the load generator as much as theirs.",
        requests: Requests::OneKey,
        subjects: &[
            Subject::new(NEAR).against(STATIC_BYTES).goals(&[
                Goal::processor_time("near hit, of static bytes (CPU time)", STATIC_BYTES, 0.90),
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
            Subject::new(LOGGING_MEMORY)
                .against(LOGGING_NGINX)
                .goals(&[Goal::processor_time(
                    "hit in memory, of nginx proxy_cache, access logs on (CPU time)",
                    LOGGING_NGINX,
                    1.00,
                )]),
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
            Subject::new(LOGGING_REDIS)
                .against(REDIS_GET)
                .goals(&[Goal::rate(
                    "hit in Redis with the access log, of one bare GET",
                    REDIS_GET,
                    0.75,
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
            Subject::new(MEMCACHED_GET),
            Subject::new(MEMCACHED).against(MEMCACHED_GET),
        ],
    },
    Workload {
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
        title: "All misses",
        description: "Every request reads a widget that nobody has read before: a look-up, a claim, one row of \
                      PostgreSQL and a fill.",
        requests: Requests::Once,
        subjects: &[
            Subject::new(MEMORY).against(ROW),
            Subject::new(ROW),
            Subject::new(REDIS).against(ROW).goals(&[Goal::rate(
                "miss with its fill in Redis, of one bare row",
                ROW,
                0.80,
            )]),
            Subject::new(MEMCACHED).against(ROW),
        ],
    },
    Workload {
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
