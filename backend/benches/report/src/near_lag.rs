//! The lag of a near cache: the time after a write in which another instance may give an old answer. The instance of the
//! write never does.
//!
//! Come here after changing the messages of the near cache.

use std::time::{Duration, Instant};

use crate::client::{Answer, Client};
use crate::launcher::Launcher;
use crate::program::{Program, ServiceCache};
use crate::{Result, path, progress};

/// Reads before each write, so that both instances answer from their near caches.
const WARMING_READS: usize = 5;
/// The longest lag. After that the invalidation of the instance is lost.
const LONGEST_LAG: Duration = Duration::from_secs(5);

/// The lag of the other instance.
pub struct Lag {
    /// In milliseconds from the acknowledgement of each write to the last old answer of the other
    /// instance, in ascending order; 0 where there was no old answer.
    milliseconds: Vec<f64>,
}

impl Lag {
    /// The number of writes.
    pub fn writes(&self) -> usize {
        self.milliseconds.len()
    }

    /// The number of writes after which the other instance gave an old answer.
    pub fn late(&self) -> usize {
        let without_lag = self.milliseconds.partition_point(|lag| *lag <= 0.0);
        self.writes() - without_lag
    }

    /// This percentile of the lag, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        self.milliseconds[(self.writes() - 1) * percent / 100]
    }
}

/// Writes through one instance and reads through it and another at once.
pub fn measure(launcher: &Launcher<'_>, token: &str) -> Result<Lag> {
    let settings = launcher.settings;
    let count = settings.near_writes;
    progress(&format!("the lag of near caches: {count} writes"));
    // A namespace of their own: the other programs have other values in their caches.
    let start = || {
        let near = Program::service(ServiceCache::Near);
        launcher.start_with(near, &[("CACHE_NAMESPACE", "lag")])
    };
    let (writer, other) = (start()?, start()?);
    let (mut writer, mut other) = (Client::connect(writer.port)?, Client::connect(other.port)?);
    // Not the first widget, whose answers are measured.
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
        // Sent before the first read of the other instance, and read after its last.
        writer.send_get(&path)?;
        let mut lag = Duration::ZERO;
        while !is_new(&other.get(&path)?) {
            lag = acknowledged.elapsed();
            if lag > LONGEST_LAG {
                return Err("a near cache did not receive the invalidation of a write".into());
            }
        }
        let own = writer.receive()?;
        if !is_new(&own) {
            return Err(
                format!("the instance of the write gave an old answer: {}", own.body).into(),
            );
        }
        milliseconds.push(lag.as_secs_f64() * 1000.0);
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(Lag { milliseconds })
}
