//! What readers of a widget may see: the last acknowledged write, and for how long another instance's
//! near cache may answer from before it (C33).

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::version_of;

/// How long another instance with a near cache may answer from before a write. Redis's message is there
/// within milliseconds; where its connection gives no sign of life for half a second, the near cache is
/// emptied.
const NEAR_LAG: Duration = Duration::from_secs(1);

/// The environment of instances with near caches.
pub const NEAR: (&str, &str) = ("CACHE_NEAR", "true");

/// For how long an instance in this environment may not know of another's write.
pub fn lag(environment: &[(&str, &str)]) -> Duration {
    if environment.contains(&NEAR) {
        NEAR_LAG
    } else {
        Duration::ZERO
    }
}

/// The acknowledged writes of a widget, which has one writer at a time.
#[derive(Debug, Default)]
pub struct History(Mutex<Vec<Write>>);

#[derive(Debug)]
struct Write {
    instance: usize,
    acknowledged: Instant,
}

/// A reader, as it begins to read.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    instance: usize,
    began: Instant,
}

impl Reader {
    /// One who reads through this instance from now on.
    pub fn of(instance: usize) -> Self {
        Self {
            instance,
            began: Instant::now(),
        }
    }

    /// Whether somebody who began to read then may not know of a write through an instance, acknowledged
    /// at a time: those through its own it must know, others when they are as old as `lag`. Where that is
    /// nothing, it must know all.
    pub fn may_miss(self, instance: usize, acknowledged: Instant, lag: Duration) -> bool {
        match self.began.checked_duration_since(acknowledged) {
            None => true,
            Some(age) => self.instance != instance && age < lag,
        }
    }
}

impl History {
    /// The version that the last acknowledged write gave the widget; it begins with 0.
    pub fn version(&self) -> u64 {
        self.writes().len() as u64
    }

    /// The next version has been written and acknowledged.
    pub fn acknowledge(&self, instance: usize) {
        self.writes().push(Write {
            instance,
            acknowledged: Instant::now(),
        });
    }

    /// Judges what a reader saw. Answers how old the oldest write was that it did not know of.
    pub fn judge(&self, reader: Reader, widget: &Value, lag: Duration) -> Result<Duration, String> {
        let writes = self.writes();
        let seen = usize::try_from(version_of(widget)).expect("a small number");
        let mut oldest = Duration::ZERO;
        for (write, version) in writes.iter().zip(1..).skip(seen) {
            if !reader.may_miss(write.instance, write.acknowledged, lag) {
                return Err(format!(
                    "{widget} through instance {}, although version {version} was acknowledged by instance {} {:.0?} before",
                    reader.instance,
                    write.instance,
                    reader.began - write.acknowledged,
                ));
            }
            oldest = oldest.max(reader.began.saturating_duration_since(write.acknowledged));
        }
        Ok(oldest)
    }

    fn writes(&self) -> std::sync::MutexGuard<'_, Vec<Write>> {
        self.0.lock().expect("the writes")
    }
}
