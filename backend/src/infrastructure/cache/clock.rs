//! The time in entries and claims.
//!
//! Come here to change the source of time. Leases use the monotonic clock instead; see `breaker::trust`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The interval at which a waiting task reads a manual clock.
const MANUAL_PERIOD: Duration = Duration::from_millis(1);

/// The source of the cache's time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that a test moves.
    Manual(ManualClock),
}

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A manual clock that shows the present time.
    #[must_use]
    pub fn now() -> Self {
        Self(Arc::new(AtomicU64::new(Clock::System.milliseconds())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0
            .fetch_add(saturating_milliseconds(by), Ordering::SeqCst);
    }
}

impl Clock {
    /// Waits until this much time has passed.
    pub(super) async fn sleep(&self, duration: Duration) {
        match self {
            Self::System => tokio::time::sleep(duration).await,
            Self::Manual(_) => {
                let until = self.milliseconds() + saturating_milliseconds(duration);
                while self.milliseconds() < until {
                    tokio::time::sleep(MANUAL_PERIOD).await;
                }
            }
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        match self {
            Self::System => saturating_milliseconds(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
            ),
            Self::Manual(clock) => clock.0.load(Ordering::SeqCst),
        }
    }
}

/// A duration in whole milliseconds.
pub(super) fn saturating_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
