//! What the service takes besides time for requests: memory, and the time to start.

use std::thread::sleep;
use std::time::Duration;

use crate::launcher::Launcher;
use crate::load::Generator;
use crate::program::{Program, ServiceCache};
use crate::running::Running;
use crate::summary::median;
use crate::workload::Requests;
use crate::{Result, progress};

/// Starts whose time is taken.
const STARTS: usize = 5;
/// The bound of the memory backend that ever new keys are put to.
const BOUND_BYTES: u32 = 16 * 1024 * 1024;
/// No entry there takes less.
const LEAST_ENTRY_BYTES: u32 = 300;
/// How long new keys come at a time until the bound is reached.
const FILLING_SECONDS: u64 = 2;

/// What was found.
pub struct Footprint {
    /// Megabytes of the service that has just started.
    pub idle_megabytes: f64,
    /// Megabytes of the service with all entries in the memory backend.
    pub filled_megabytes: f64,
    /// Milliseconds from the start to the first answer.
    pub start_milliseconds: f64,
    /// What ever new keys do to a memory backend that is full.
    pub growth: Growth,
}

/// The memory in use of a service whose memory backend is at its bound, while ever new keys come.
pub struct Growth {
    /// Megabytes when the bound had just been passed.
    pub megabytes_before: f64,
    /// Megabytes at the end.
    pub megabytes_after: f64,
    /// How many keys came between.
    pub keys: f64,
    /// In how many seconds.
    pub seconds: u64,
}

impl Growth {
    /// By how much the memory in use has grown.
    pub fn percent(&self) -> f64 {
        (self.megabytes_after / self.megabytes_before - 1.0) * 100.0
    }
}

impl Footprint {
    /// Measures. The program that is given has all entries in its memory.
    pub fn measure(
        launcher: &Launcher<'_>,
        generator: &Generator<'_>,
        filled: &Running,
    ) -> Result<Self> {
        let service = Program::service(ServiceCache::Redis);
        let filled_megabytes = filled.resident_megabytes()?;
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            starts.push(launcher.time_first_answer(service)?);
        }
        let idle = launcher.start(service)?;
        sleep(Duration::from_secs(1));
        Ok(Self {
            idle_megabytes: idle.resident_megabytes()?,
            filled_megabytes,
            start_milliseconds: median(starts),
            growth: grow(launcher, generator)?,
        })
    }
}

/// Fills a memory backend to its bound and goes on with new keys.
fn grow(launcher: &Launcher<'_>, generator: &Generator<'_>) -> Result<Growth> {
    let seconds = launcher.settings.growth_seconds;
    progress(&format!(
        "ever new keys at the bound of the memory backend: {seconds} s"
    ));
    let bound = BOUND_BYTES.to_string();
    let service = launcher.start_with(
        Program::service(ServiceCache::Memory),
        &[("CACHE_MEMORY_MAX_BYTES", &bound)],
    )?;
    let enough = f64::from(BOUND_BYTES / LEAST_ENTRY_BYTES);
    let mut keys = 0.0;
    while keys < enough {
        let filling = generator.run(&service, Requests::NewKeys, FILLING_SECONDS)?;
        keys += filling.answers;
    }
    let megabytes_before = service.resident_megabytes()?;
    let sample = generator.run(&service, Requests::NewKeys, seconds)?;
    Ok(Growth {
        megabytes_before,
        megabytes_after: service.resident_megabytes()?,
        keys: sample.answers,
        seconds,
    })
}
