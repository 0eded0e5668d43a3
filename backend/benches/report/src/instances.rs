//! Several instances on one Redis: what they answer together, and what a request costs them and the server.
//!
//! Come here for another number of instances. They share the machine, so that more of them answer no more; their server's cost per
//! request says how many requests one Redis can serve.

use std::thread;

use crate::fill::fill;
use crate::launcher::Launcher;
use crate::load::{Generator, Sample};
use crate::program::{Program, ServiceCache};
use crate::running::{Running, processor_seconds_of};
use crate::summary::median;
use crate::workload::Requests;
use crate::{Result, progress, redis_server};

/// The numbers of instances.
const COUNTS: [u32; 3] = [1, 2, 4];

/// The medians of the rounds with so many instances.
pub struct Together {
    /// The number of instances.
    pub instances: u32,
    /// Requests per second of all of them.
    pub rate: f64,
    /// Microseconds of processor time of the instances per request.
    pub processor: f64,
    /// Microseconds of processor time of Redis per request.
    pub redis: f64,
}

impl Together {
    /// The requests per second that keep the one thread of Redis busy.
    pub fn bound(&self) -> f64 {
        1e6 / self.redis
    }
}

/// Measures all numbers of instances, round by round: hits in a Zipf distribution, over as many connections in all.
pub fn measure(launcher: &Launcher<'_>, generator: &Generator<'_>) -> Result<Vec<Together>> {
    let settings = launcher.settings;
    let redis = redis_server::process(settings.redis_port)?;
    let most = COUNTS.into_iter().max().unwrap_or(1);
    let program = Program::service(ServiceCache::Redis);
    let running = (0..most)
        .map(|_| launcher.start(program))
        .collect::<Result<Vec<Running>>>()?;
    fill(settings, &running[0])?;
    let mut rounds: Vec<Vec<[f64; 3]>> = COUNTS.iter().map(|_| Vec::new()).collect();
    for round in 1..=settings.rounds {
        progress(&format!("instances: round {round} of {}", settings.rounds));
        for (count, rounds) in COUNTS.into_iter().zip(&mut rounds) {
            let server_time = || processor_seconds_of(redis, generator.ticks_per_second);
            let before = server_time()?;
            let some = &running[..usize::try_from(count)?];
            let samples = load(
                generator,
                some,
                settings.connections / count,
                settings.seconds,
            )?;
            let answers: f64 = samples.iter().map(|sample| sample.answers).sum();
            let of_instances = samples.iter().map(|one| one.processor * one.answers);
            rounds.push([
                samples.iter().map(|sample| sample.rate).sum(),
                of_instances.sum::<f64>() / answers,
                (server_time()? - before) / answers * 1e6,
            ]);
        }
    }
    let measured = COUNTS.into_iter().zip(rounds);
    Ok(measured
        .map(|(instances, rounds)| {
            let of = |figure: usize| median(rounds.iter().map(|round| round[figure]));
            Together {
                instances,
                rate: of(0),
                processor: of(1),
                redis: of(2),
            }
        })
        .collect())
}

/// Load on each of the programs at the same time.
fn load(
    generator: &Generator<'_>,
    programs: &[Running],
    connections: u32,
    seconds: u64,
) -> Result<Vec<Sample>> {
    let samples = thread::scope(|scope| {
        let loads: Vec<_> = programs
            .iter()
            .map(|program| {
                scope.spawn(move || {
                    let sample = generator.run_over(connections, program, Requests::Zipf, seconds);
                    sample.map_err(|error| error.to_string())
                })
            })
            .collect();
        let ended = loads.into_iter().map(|load| {
            let ended = load.join();
            ended.map_err(|_| "a load panicked".to_owned())?
        });
        ended.collect::<std::result::Result<Vec<_>, String>>()
    })?;
    Ok(samples)
}
