//! Load: the lists of requests, and one run of wrk with its cost.
//!
//! Come here for another distribution of keys, or another option of wrk.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::compression::LIST;
use crate::running::Running;
use crate::workload::Requests;
use crate::{Result, Settings, path};

/// The exponent of the Zipf distribution, as in the usual key-value benchmarks (YCSB).
const EXPONENT: f64 = 0.99;
/// The number of requests in a list. A list is repeated.
const SAMPLES: usize = 200_000;
/// One request in this many is a write.
const WRITE_EVERY: usize = 20;
/// Threads of wrk; `requests.lua` counts on two.
const THREADS: usize = 2;
/// The connections of the load with many.
const MANY_CONNECTIONS: u32 = 8_000;
/// The distance between the new keys of two runs: more than a run can request.
const NEW_KEYS: u64 = 20_000_000;
/// The path of a search, before its number. It finds nothing, so it costs the database little.
const SEARCH: &str = "/api/v1/widgets?q=qj";
/// The end of all scripts.
const REPORT: &str = include_str!("report.lua");
/// The part of the scripts with a list of requests.
const REQUESTS: &str = include_str!("requests.lua");
/// The part of the script with keys at random.
const SPREAD: &str = include_str!("spread.lua");
/// The part of the script with new keys.
const SEARCHES: &str = include_str!("searches.lua");

/// The figures of one run.
#[derive(Clone, Copy)]
pub struct Sample {
    /// The number of answered requests.
    pub answers: f64,
    /// Requests per second.
    pub rate: f64,
    /// Microseconds of processor time of the measured program per request.
    pub processor: f64,
    /// Median latency in milliseconds.
    pub p50: f64,
    /// The 99th percentile of the latency, in milliseconds.
    pub p99: f64,
}

/// Makes load.
pub struct Generator<'a> {
    settings: &'a Settings,
    token: String,
    /// The unit of processor time.
    pub ticks_per_second: f64,
    next_new_key: AtomicU64,
}

impl<'a> Generator<'a> {
    /// Writes the scripts and lists. The token is a superuser's, who may change every widget.
    pub fn new(settings: &'a Settings, token: String) -> Result<Self> {
        let ticks = Command::new("getconf").arg("CLK_TCK").output()?.stdout;
        let generator = Self {
            settings,
            token,
            ticks_per_second: String::from_utf8(ticks)?.trim().parse()?,
            next_new_key: AtomicU64::new(1),
        };
        fs::write(generator.script(Requests::OneKey), REPORT)?;
        fs::write(
            generator.script(Requests::NewKeys),
            format!("{REPORT}{SEARCHES}"),
        )?;
        fs::write(
            generator.script(Requests::Spread),
            format!("{REPORT}{SPREAD}"),
        )?;
        for requests in [
            Requests::Zipf,
            Requests::ZipfWithWrites,
            Requests::ZipfHalfWrites,
            Requests::Writes,
            Requests::SingleWrites,
            Requests::Once,
        ] {
            fs::write(generator.script(requests), format!("{REPORT}{REQUESTS}"))?;
            fs::write(generator.list(requests), generator.lines(requests))?;
        }
        Ok(generator)
    }

    fn script(&self, requests: Requests) -> PathBuf {
        self.settings
            .directory
            .join(format!("{}.lua", name(requests)))
    }

    fn list(&self, requests: Requests) -> PathBuf {
        self.settings
            .directory
            .join(format!("{}.txt", name(requests)))
    }

    /// The list: a method and an id on each line.
    fn lines(&self, requests: Requests) -> String {
        let first = self.settings.first_id;
        if requests == Requests::Once {
            // The start of a program reads the first one.
            let mut lines = String::new();
            for id in first + 1..first + self.settings.entries {
                let _ = writeln!(lines, "GET {id}");
            }
            return lines;
        }
        // The same requests in every run.
        let mut random = StdRng::seed_from_u64(348);
        let mut sum = 0.0;
        let mut cumulated = Vec::new();
        for rank in 1..=self.settings.entries {
            sum += 1.0 / (f64::from(i32::try_from(rank).unwrap_or(i32::MAX))).powf(EXPONENT);
            cumulated.push(sum);
        }
        let mut lines = String::new();
        for number in 0..SAMPLES {
            let point = random.random_range(0.0..sum);
            let rank = cumulated.partition_point(|cumulated| *cumulated < point);
            let id = first + i64::try_from(rank).unwrap_or_default();
            // The threads of wrk take the lines in turn, and each of them must write.
            let writes = match requests {
                Requests::ZipfWithWrites => (number / THREADS).is_multiple_of(WRITE_EVERY),
                Requests::ZipfHalfWrites => (number / THREADS).is_multiple_of(2),
                Requests::Writes | Requests::SingleWrites => true,
                _ => false,
            };
            let method = if writes { "PATCH" } else { "GET" };
            let _ = writeln!(lines, "{method} {id}");
        }
        lines
    }

    /// Puts load on the program for some seconds.
    pub fn run(&self, program: &Running, requests: Requests, seconds: u64) -> Result<Sample> {
        let connections = match requests {
            Requests::SingleWrites => 1,
            Requests::ManyConnections => MANY_CONNECTIONS,
            _ => self.settings.connections,
        };
        self.run_over(connections, program, requests, seconds)
    }

    /// The same over this many connections.
    pub fn run_over(
        &self,
        connections: u32,
        program: &Running,
        requests: Requests,
        seconds: u64,
    ) -> Result<Sample> {
        program.empty_log()?;
        let before = program.processor_seconds(self.ticks_per_second)?;
        let path = match requests {
            Requests::Body(kibibytes) => path(self.settings.body_id(kibibytes)),
            Requests::List => LIST.to_owned(),
            _ => path(self.settings.first_id),
        };
        let url = format!("http://127.0.0.1:{}{path}", program.port);
        let mut wrk = Command::new("wrk");
        let threads = if connections == 1 { 1 } else { THREADS };
        wrk.args(["--threads", &threads.to_string(), "--timeout", "5"])
            .args(["--connections", &connections.to_string()])
            .args(["--duration", &seconds.to_string()])
            .arg("--script")
            .arg(self.script(requests));
        if requests == Requests::List {
            wrk.args(["--header", "Accept-Encoding: zstd"]);
        }
        wrk.args([&url, "--"]);
        match requests {
            Requests::OneKey | Requests::ManyConnections | Requests::Body(_) | Requests::List => {}
            Requests::Spread => {
                let (first, count) = (self.settings.first_id, self.settings.entries);
                wrk.args(["/api/v1/widgets/", &first.to_string(), &count.to_string()]);
            }
            Requests::Zipf
            | Requests::ZipfWithWrites
            | Requests::ZipfHalfWrites
            | Requests::Writes
            | Requests::SingleWrites
            | Requests::Once => {
                let times = if requests == Requests::Once {
                    "once"
                } else {
                    "again"
                };
                wrk.arg(self.list(requests)).args([&self.token, times]);
            }
            Requests::NewKeys => {
                let first = self.next_new_key.fetch_add(NEW_KEYS, Ordering::Relaxed);
                wrk.args([SEARCH, &first.to_string()]);
            }
        }
        let output = wrk.output()?;
        let after = program.processor_seconds(self.ticks_per_second)?;
        let text = String::from_utf8(output.stdout)?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("measured "))
            .ok_or_else(|| format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
        let figures: Vec<f64> = line
            .split(' ')
            .map(str::parse)
            .collect::<std::result::Result<_, _>>()?;
        let [answers, microseconds, p50, p99, errors, exhausted] = figures[..] else {
            return Err(format!("wrk: {line}").into());
        };
        if errors > 0.0 || answers < 1.0 {
            return Err(format!("{errors} of {answers} requests failed: {text}").into());
        }
        if exhausted > 0.0 {
            return Err(
                "there are too few widgets for so many misses: take fewer --seconds".into(),
            );
        }
        Ok(Sample {
            answers,
            rate: answers / microseconds * 1e6,
            processor: (after - before) / answers * 1e6,
            p50: p50 / 1000.0,
            p99: p99 / 1000.0,
        })
    }
}

const fn name(requests: Requests) -> &'static str {
    match requests {
        // One script: the key is in the URL.
        Requests::OneKey | Requests::ManyConnections | Requests::Body(_) | Requests::List => {
            "one-key"
        }
        Requests::Spread => "spread",
        Requests::Zipf => "zipf",
        Requests::ZipfWithWrites => "zipf-with-writes",
        Requests::ZipfHalfWrites => "zipf-half-writes",
        Requests::Writes => "writes",
        Requests::SingleWrites => "single-writes",
        Requests::Once => "once",
        Requests::NewKeys => "new-keys",
    }
}
