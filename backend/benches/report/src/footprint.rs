//! The memory of the service, and the time that it takes to start.
//!
//! Come here for a figure of the process instead of its requests.

use std::thread::sleep;
use std::time::Duration;

use crate::launcher::Launcher;
use crate::load::Generator;
use crate::program::{Program, ServiceCache};
use crate::running::Running;
use crate::summary::median;
use crate::workload::Requests;
use crate::{Result, progress};

/// The number of measured starts.
const STARTS: usize = 5;
/// The bound of the memory backend in the measurement of its growth.
const BOUND_BYTES: u32 = 16 * 1024 * 1024;
/// The least size of an entry in the memory backend.
const LEAST_ENTRY_BYTES: u32 = 300;
/// The seconds of one run of new keys; runs are repeated until the bound is reached.
const FILLING_SECONDS: u64 = 2;

/// The measured memory and times.
pub struct Footprint {
    /// Megabytes of the service that has just started.
    pub idle_megabytes: f64,
    /// Megabytes of the service with all entries in the memory backend.
    pub filled_megabytes: f64,
    /// Milliseconds from the start to the first answer.
    pub start_milliseconds: f64,
    /// The growth of a full memory backend under new keys.
    pub growth: Growth,
}

/// The memory of a service whose memory backend is full, before and after a run of new keys.
pub struct Growth {
    /// Megabytes just after the bound was reached.
    pub megabytes_before: f64,
    /// Megabytes at the end.
    pub megabytes_after: f64,
    /// The number of new keys in between.
    pub keys: f64,
    /// The seconds in between.
    pub seconds: u64,
}

impl Growth {
    /// The growth of the memory, in percent.
    pub fn percent(&self) -> f64 {
        (self.megabytes_after / self.megabytes_before - 1.0) * 100.0
    }
}

impl Footprint {
    /// Measures. `filled` is a service with all entries in its memory backend.
    pub fn measure(
        launcher: &Launcher<'_>,
        generator: &Generator<'_>,
        filled: &Running,
    ) -> Result<Self> {
        let service = Program::service(ServiceCache::Redis);
        let filled_megabytes = filled.resident_megabytes()?;
        let start_milliseconds = start_milliseconds(launcher)?;
        let idle = launcher.start(service)?;
        sleep(Duration::from_secs(1));
        Ok(Self {
            idle_megabytes: idle.resident_megabytes()?,
            filled_megabytes,
            start_milliseconds,
            growth: grow(launcher, generator)?,
        })
    }
}

/// The median milliseconds from the start of a service with Redis to its first answer.
pub fn start_milliseconds(launcher: &Launcher<'_>) -> Result<f64> {
    let service = Program::service(ServiceCache::Redis);
    let starts = (0..STARTS).map(|_| launcher.time_first_answer(service));
    Ok(median(starts.collect::<Result<Vec<_>>>()?))
}

/// Fills a memory backend to its bound and goes on with new keys.
fn grow(launcher: &Launcher<'_>, generator: &Generator<'_>) -> Result<Growth> {
    let seconds = launcher.settings.growth_seconds;
    progress(&format!(
        "new keys at the bound of the memory backend: {seconds} s"
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
