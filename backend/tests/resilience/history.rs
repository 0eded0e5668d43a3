//! The versions of a widget that a reader may see: the last acknowledged one, and for a short time the one before it
//! from another instance's near cache (C33).
//!
//! Come here when a storm or a drill judges an answer wrongly.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::version_of;

/// The longest time in which another instance's near cache may answer from before a write. Redis's message arrives
/// within milliseconds; after half a second without any message on its connection, the near cache is emptied.
const NEAR_LAG: Duration = Duration::from_secs(1);

/// The environment of instances with near caches.
pub const NEAR: (&str, &str) = ("CACHE_NEAR", "true");

/// The longest time in which an instance in this environment may answer from before another instance's write.
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

/// The moment at which a reader begins, and its instance.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    instance: usize,
    began: Instant,
}

impl Reader {
    /// A reader that begins now, through this instance.
    pub fn of(instance: usize) -> Self {
        Self {
            instance,
            began: Instant::now(),
        }
    }

    /// Whether the reader may get an answer from before a write that an instance acknowledged at a time. Writes of the
    /// reader's own instance must be seen, writes of another instance after `lag`; with a `lag` of zero, all.
    pub fn may_miss(self, instance: usize, acknowledged: Instant, lag: Duration) -> bool {
        match self.began.checked_duration_since(acknowledged) {
            None => true,
            Some(age) => self.instance != instance && age < lag,
        }
    }
}

impl History {
    /// The version of the last acknowledged write; 0 before the first.
    pub fn version(&self) -> u64 {
        self.writes().len() as u64
    }

    /// Records that the next version was acknowledged.
    pub fn acknowledge(&self, instance: usize) {
        self.writes().push(Write {
            instance,
            acknowledged: Instant::now(),
        });
    }

    /// Judges a reader's answer. Returns the age of the oldest write that the answer does not contain.
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
