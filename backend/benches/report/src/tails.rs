//! The tails of latencies under an open load: each request has a time at which it is due, whether or not the answers before it
//! have come, and its latency counts from that time. So an answer that is late delays the requests behind it in the figures
//! too, as it does for users (wrk2's method against coordinated omission).
//!
//! Come here for another load or another disturbance. The capacity of a program is what the same connections get from it in a
//! closed loop, since the load shares the machine with the program.

use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::groups::{end_group, fill_group};
use crate::page::count;
use crate::program::{Program, Reference, ServiceCache};
use crate::running::Running;
use crate::summary::median;
use crate::{Result, Settings, path, progress, redis_server};

/// The program that all others are compared with.
pub const STATIC_BYTES: Program = Program::Reference(Reference::StaticBytes);
const MEMORY: Program = Program::service(ServiceCache::Memory);
const REDIS: Program = Program::service(ServiceCache::Redis);
const DISABLED: Program = Program::service(ServiceCache::Disabled);

/// The measured programs.
const MEASURED: [Program; 3] = [STATIC_BYTES, MEMORY, REDIS];
/// The programs that have to run.
pub const PROGRAMS: [Program; 4] = [STATIC_BYTES, MEMORY, REDIS, DISABLED];

/// The connections, with a thread each.
const CONNECTIONS: u32 = 32;
/// The pause between two writes.
const BETWEEN_WRITES: Duration = Duration::from_millis(10);

/// What happens beside the reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Nothing.
    None,
    /// The widget that is read is changed every 10 ms.
    Writes,
    /// The widget is changed as often through a service without a cache: what the writes alone cost the machine.
    WritesElsewhere,
    /// The widget is changed as often through a service with a cache that nobody reads: what the machine pays for the writes and
    /// for their delivery.
    DeliveredElsewhere,
    /// Redis saves its data (BGSAVE).
    Save,
    /// A group of other entries is ended, a tenth of `--group-entries`.
    GroupEnds,
}

impl fmt::Display for Disturbance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "",
            Self::Writes => ", a write every 10 ms",
            Self::WritesElsewhere => ", a write every 10 ms to a service without a cache",
            Self::DeliveredElsewhere => ", a write every 10 ms to a service with a cache",
            Self::Save => ", during BGSAVE",
            Self::GroupEnds => ", a large group ends",
        })
    }
}

/// The program, the percent of its capacity, and what happens beside the reads.
pub type Case = (Program, u32, Disturbance);

/// The usual cases.
pub const CASES: [Case; 11] = [
    (STATIC_BYTES, 50, Disturbance::None),
    (MEMORY, 50, Disturbance::None),
    (REDIS, 50, Disturbance::None),
    (STATIC_BYTES, 80, Disturbance::None),
    (MEMORY, 80, Disturbance::None),
    (REDIS, 80, Disturbance::None),
    (STATIC_BYTES, 50, Disturbance::WritesElsewhere),
    (STATIC_BYTES, 50, Disturbance::DeliveredElsewhere),
    (MEMORY, 50, Disturbance::Writes),
    (REDIS, 50, Disturbance::Writes),
    (REDIS, 50, Disturbance::Save),
];

/// The cases with a large group, which takes long to fill.
pub const CASES_WITH_GROUPS: [Case; 3] = [
    (STATIC_BYTES, 50, Disturbance::None),
    (REDIS, 50, Disturbance::None),
    (REDIS, 50, Disturbance::GroupEnds),
];

/// The latencies of a case: medians of the rounds, in milliseconds.
pub struct Tail {
    /// The program.
    pub program: Program,
    /// The load, in percent of the program's capacity.
    pub load: u32,
    /// What happened beside the reads.
    pub disturbance: Disturbance,
    /// Requests per second.
    pub rate: f64,
    /// The median latency.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p999: f64,
}

/// Measures all cases, round by round.
pub fn measure(
    settings: &Settings,
    token: &str,
    programs: &BTreeMap<Program, Running>,
    cases: &[Case],
) -> Result<Vec<Tail>> {
    let mut capacities = BTreeMap::new();
    for program in MEASURED {
        let load = Load::of(settings, &programs[&program]);
        let answered = load.run(None, None)?.len();
        capacities.insert(program, count(answered) / load.time.as_secs_f64());
    }
    let mut rounds: Vec<Vec<[f64; 3]>> = cases.iter().map(|_| Vec::new()).collect();
    for round in 1..=settings.rounds {
        progress(&format!("tails: round {round} of {}", settings.rounds));
        for ((program, percent, disturbance), rounds) in cases.iter().zip(&mut rounds) {
            let load = Load::of(settings, &programs[program]);
            let rate = capacities[program] * f64::from(*percent) / 100.0;
            let running = &programs[program];
            let mut latencies = match disturbance {
                Disturbance::None => load.run(Some(rate), None)?,
                Disturbance::Writes => load.run(Some(rate), Some((&load, token)))?,
                Disturbance::WritesElsewhere => {
                    let other = Load::of(settings, &programs[&DISABLED]);
                    load.run(Some(rate), Some((&other, token)))?
                }
                Disturbance::DeliveredElsewhere => {
                    let other = Load::of(settings, &programs[&MEMORY]);
                    load.run(Some(rate), Some((&other, token)))?
                }
                Disturbance::Save => {
                    redis_server::save(settings.redis_port)?;
                    load.run(Some(rate), None)?
                }
                Disturbance::GroupEnds => {
                    fill_group(running, settings.group_entries / 10)?;
                    let ended = thread::scope(|scope| {
                        let end = scope.spawn(|| {
                            thread::sleep(load.time / 2);
                            end_group(settings, running, token).map_err(|error| error.to_string())
                        });
                        let latencies = load.run(Some(rate), None);
                        (end.join(), latencies)
                    });
                    ended.0.map_err(|_| "a writer panicked")??;
                    ended.1?
                }
            };
            latencies.sort_by(f64::total_cmp);
            rounds.push([500, 990, 999].map(|permille| percentile(&latencies, permille)));
        }
    }
    let tails = cases.iter().zip(rounds);
    Ok(tails
        .map(|((program, load, disturbance), rounds)| {
            let of = |figure: usize| median(rounds.iter().map(|round| round[figure]));
            Tail {
                program: *program,
                load: *load,
                disturbance: *disturbance,
                rate: capacities[program] * f64::from(*load) / 100.0,
                p50: of(0),
                p99: of(1),
                p999: of(2),
            }
        })
        .collect())
}

/// Reads of the first widget.
struct Load {
    port: u16,
    path: String,
    time: Duration,
}

impl Load {
    fn of(settings: &Settings, program: &Running) -> Self {
        Self {
            port: program.port,
            path: path(settings.first_id),
            time: Duration::from_secs(settings.seconds),
        }
    }

    /// The latencies of all requests, in milliseconds: at this rate, or one after the other on each connection. With the service
    /// of a writer and its token the widget is changed meanwhile.
    fn run(&self, rate: Option<f64>, writer: Option<(&Self, &str)>) -> Result<Vec<f64>> {
        let interval = rate.map(|rate| Duration::from_secs_f64(f64::from(CONNECTIONS) / rate));
        // All threads have connected by then.
        let begin = Instant::now() + Duration::from_millis(50);
        let end = begin + self.time;
        let latencies = thread::scope(|scope| {
            let readers: Vec<_> = (0..CONNECTIONS)
                .map(|number| {
                    let offset = interval.unwrap_or_default() * number / CONNECTIONS;
                    scope.spawn(move || self.read(begin + offset, end, interval))
                })
                .collect();
            let writer = writer
                .map(|(service, token)| scope.spawn(move || service.write(token, begin, end)));
            let mut latencies = Vec::new();
            for reader in readers {
                latencies.extend(
                    reader
                        .join()
                        .map_err(|_| "a reader panicked".to_owned())??,
                );
            }
            if let Some(writer) = writer {
                writer
                    .join()
                    .map_err(|_| "a writer panicked".to_owned())??;
            }
            Ok::<_, String>(latencies)
        })?;
        Ok(latencies)
    }

    fn read(
        &self,
        begin: Instant,
        end: Instant,
        interval: Option<Duration>,
    ) -> std::result::Result<Vec<f64>, String> {
        let mut client = Client::connect(self.port).map_err(|error| error.to_string())?;
        let mut latencies = Vec::new();
        let mut due = begin;
        while due < end {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let answer = client.get(&self.path).map_err(|error| error.to_string())?;
            if answer.status != 200 {
                return Err(format!("status {}", answer.status));
            }
            let now = Instant::now();
            latencies.push((now - due).as_secs_f64() * 1000.0);
            due = interval.map_or(now, |interval| due + interval);
        }
        Ok(latencies)
    }

    fn write(&self, token: &str, begin: Instant, end: Instant) -> std::result::Result<(), String> {
        let mut client = Client::connect(self.port).map_err(|error| error.to_string())?;
        let mut due = begin;
        while due < end {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // The same name as before: the answer keeps its size.
            let answer = client
                .patch(&self.path, token, "{\"name\":\"Widget 100001\"}")
                .map_err(|error| error.to_string())?;
            if answer.status != 200 {
                return Err(format!("a write: status {}", answer.status));
            }
            due += BETWEEN_WRITES;
        }
        Ok(())
    }
}

/// A percentile of sorted values.
fn percentile(sorted: &[f64], permille: usize) -> f64 {
    let place = (sorted.len() * permille / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// The undisturbed case of static bytes with the same load, which a case is compared with; `None` for that case itself.
pub fn reference_of<'a>(tails: &'a [Tail], tail: &Tail) -> Option<&'a Tail> {
    let is_reference =
        |tail: &Tail| tail.program == STATIC_BYTES && tail.disturbance == Disturbance::None;
    if is_reference(tail) {
        return None;
    }
    tails
        .iter()
        .find(|other| is_reference(other) && other.load == tail.load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(
            [500, 990, 999].map(|permille| percentile(&values, permille).to_string()),
            ["500", "990", "999"]
        );
        assert_eq!(percentile(&[7.0], 999).to_string(), "7");
        assert!(percentile(&[], 500).is_nan());
    }
}
