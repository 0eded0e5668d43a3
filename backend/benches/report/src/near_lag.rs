//! For how long another instance's near cache may answer from before a write; the writer's own never does.

use std::time::{Duration, Instant};

use crate::client::{Answer, Client};
use crate::launcher::Launcher;
use crate::program::{Program, ServiceCache};
use crate::{Result, path, progress};

/// Reads before each write, so that both instances answer from their near caches.
const WARMING_READS: usize = 5;
/// An instance that has not been told by then never will be.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the other instance lagged behind.
pub struct Lag {
    /// In milliseconds from the acknowledgement of each write to the last old answer of the other
    /// instance, in ascending order; 0 where there was no old answer.
    milliseconds: Vec<f64>,
}

impl Lag {
    /// How many writes were made.
    pub fn writes(&self) -> usize {
        self.milliseconds.len()
    }

    /// After how many of them the other instance gave an old answer at all.
    pub fn late(&self) -> usize {
        let told = self.milliseconds.partition_point(|lag| *lag <= 0.0);
        self.writes() - told
    }

    /// The milliseconds that this many percent of the writes stayed within.
    pub fn percentile(&self, percent: usize) -> f64 {
        self.milliseconds[(self.writes() - 1) * percent / 100]
    }
}

/// Writes through one instance and reads through it and another at once.
pub fn measure(launcher: &Launcher<'_>, token: &str) -> Result<Lag> {
    let settings = launcher.settings;
    let count = settings.near_writes;
    progress(&format!("the lag of near caches: {count} writes"));
    // A namespace of their own, since what they write is not what the others have in their caches.
    let start = || {
        let near = Program::service(ServiceCache::Near);
        launcher.start_with(near, &[("CACHE_NAMESPACE", "lag")])
    };
    let (writer, other) = (start()?, start()?);
    let (mut writer, mut other) = (Client::connect(writer.port)?, Client::connect(other.port)?);
    // Not the first, whose answers are measured.
    let path = path(settings.first_id + settings.entries - 1);
    let mut milliseconds = Vec::with_capacity(count);
    for version in 0..count {
        for _ in 0..WARMING_READS {
            writer.get(&path)?;
            other.get(&path)?;
        }
        let name = format!("\"name\":\"version {version}\"");
        let is_new = |answer: &Answer| answer.body.contains(&name);
        let written = writer.patch(&path, token, &format!("{{{name}}}"))?;
        let acknowledged = Instant::now();
        if written.status != 200 || !is_new(&written) {
            return Err(format!("PATCH {path}: {} {}", written.status, written.body).into());
        }
        // Asked at once, but not waited for: the other instance is asked at once too.
        writer.send_get(&path)?;
        let mut lag = Duration::ZERO;
        while !is_new(&other.get(&path)?) {
            lag = acknowledged.elapsed();
            if lag > PATIENCE {
                return Err("a near cache was not told of a write".into());
            }
        }
        let own = writer.receive()?;
        if !is_new(&own) {
            return Err(format!("the writer's own instance answered the old {}", own.body).into());
        }
        milliseconds.push(lag.as_secs_f64() * 1000.0);
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(Lag { milliseconds })
}
