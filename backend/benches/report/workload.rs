//! What is measured: the workloads, the programs that each is put to, and the goals.

use crate::client::Answer;

/// What the requests of a workload are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// The same read again and again.
    OneKey,
    /// Reads of all keys, a few of them much more often than the others.
    Zipf,
    /// The same, and every twentieth request changes what it names.
    ZipfWithWrites,
    /// Every key once.
    Once,
}

/// By which figure a program is held against its goal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Requests per second.
    Rate,
    /// Processor time per request. The only fair one where the load generator is the bottleneck.
    ProcessorTime,
}

/// The share of the compared program's figure that is to be reached.
#[derive(Clone, Copy)]
pub struct Goal {
    /// Which figure.
    pub measure: Measure,
    /// The share.
    pub share: f64,
    /// In words.
    pub text: &'static str,
}

/// A program that is put to a workload.
pub struct Subject {
    /// Its name, which also says how it is started.
    pub name: &'static str,
    /// The program of the same workload that it is compared with.
    pub against: Option<&'static str>,
    /// What it is to reach.
    pub goal: Option<Goal>,
}

impl Subject {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            against: None,
            goal: None,
        }
    }

    const fn against(mut self, other: &'static str) -> Self {
        self.against = Some(other);
        self
    }

    const fn goal(mut self, measure: Measure, share: f64, text: &'static str) -> Self {
        self.goal = Some(Goal {
            measure,
            share,
            text,
        });
        self
    }

    /// Whether it is the service, rather than something to compare it with.
    pub fn is_service(&self) -> bool {
        self.name.starts_with("service")
    }

    /// Whether it keeps answers, which have to be there before its hits are measured.
    pub fn caches(&self) -> bool {
        self.is_service()
            && !self.name.ends_with("cache disabled")
            && !self.name.ends_with("backend down")
    }

    /// What is wrong with an answer to a key that was asked for before: nobody is to be measured at
    /// something else than is believed.
    pub fn problem(&self, answer: &Answer) -> Option<String> {
        if !self.is_service() {
            return None;
        }
        let expected = if self.name.ends_with("cache disabled") {
            "detail=disabled"
        } else if self.name.ends_with("backend down") {
            "detail=unavailable"
        } else {
            "; hit;"
        };
        let status = answer.header("cache-status").unwrap_or_default();
        if status.contains(expected) {
            None
        } else {
            Some(format!("Cache-Status is `{status}` and not `{expected}`"))
        }
    }
}

/// One kind of load, and who is put to it.
pub struct Workload {
    /// Its name.
    pub title: &'static str,
    /// What it is, for a person.
    pub description: &'static str,
    /// The requests.
    pub requests: Requests,
    /// The programs, those that are compared next to each other, so that they are measured soon after
    /// each other.
    pub subjects: &'static [Subject],
}

/// Everything that is measured.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        title: "One hot key",
        description: "Every request reads the same widget, which is in the cache.",
        requests: Requests::OneKey,
        subjects: &[
            Subject::new("static bytes"),
            Subject::new("service, memory")
                .against("static bytes")
                .goal(
                    Measure::ProcessorTime,
                    0.90,
                    "hit in memory, of static bytes (by CPU time)",
                ),
            Subject::new("moka look-up"),
            Subject::new("Redis GET"),
            Subject::new("service, Redis").against("Redis GET").goal(
                Measure::Rate,
                0.95,
                "hit in Redis, of one bare GET",
            ),
            Subject::new("service, Redis, access log")
                .against("Redis GET")
                .goal(
                    Measure::Rate,
                    0.75,
                    "hit in Redis with the access log, of one bare GET",
                ),
            Subject::new("service, Redis, near cache").against("Redis GET"),
            Subject::new("Memcached get"),
            Subject::new("service, Memcached")
                .against("Memcached get")
                .goal(Measure::Rate, 0.95, "hit in Memcached, of one bare get"),
            Subject::new("nginx proxy_cache"),
        ],
    },
    Workload {
        title: "100 000 keys, Zipf",
        description: "Reads of 100 000 widgets, all in the cache, with a Zipf distribution of exponent 0.99.",
        requests: Requests::Zipf,
        subjects: &[
            Subject::new("moka look-up"),
            Subject::new("service, memory").against("moka look-up"),
            Subject::new("Redis GET"),
            Subject::new("service, Redis").against("Redis GET"),
            Subject::new("Memcached get"),
            Subject::new("service, Memcached").against("Memcached get"),
        ],
    },
    Workload {
        title: "95 % reads, 5 % writes",
        description: "The same, but every twentieth request is a PATCH by the owner, which invalidates the widget and \
                      the lists. Compared with no cache.",
        requests: Requests::ZipfWithWrites,
        subjects: &[
            Subject::new("service, cache disabled"),
            Subject::new("service, memory").against("service, cache disabled"),
            Subject::new("service, Redis").against("service, cache disabled"),
            Subject::new("service, Memcached").against("service, cache disabled"),
        ],
    },
    Workload {
        title: "All misses",
        description: "Every request reads a widget that nobody has read before: a look-up, a claim, one row of \
                      PostgreSQL and a fill.",
        requests: Requests::Once,
        subjects: &[
            Subject::new("sqlx row"),
            Subject::new("service, Redis").against("sqlx row").goal(
                Measure::Rate,
                0.80,
                "miss with its fill in Redis, of one bare row",
            ),
            Subject::new("service, Memcached").against("sqlx row"),
            Subject::new("service, memory").against("sqlx row"),
        ],
    },
    Workload {
        title: "Cache disabled, backend down",
        description: "One widget without a cache: `CACHE_ENABLED=false`, and a Redis that is not there (breaker open).",
        requests: Requests::OneKey,
        subjects: &[
            Subject::new("sqlx row"),
            Subject::new("service, cache disabled")
                .against("sqlx row")
                .goal(
                    Measure::Rate,
                    0.95,
                    "`CACHE_ENABLED=false`, of one bare row",
                ),
            Subject::new("service, backend down")
                .against("service, cache disabled")
                .goal(
                    Measure::Rate,
                    0.95,
                    "backend down, of `CACHE_ENABLED=false`",
                ),
        ],
    },
];
