//! Suspicion: idle connections that are checked before their use.
//!
//! A connection whose peer is gone looks like any other until it is used. Come here to change when an idle connection
//! is pinged or closed. Connections in use are in `lease`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

/// The longest idle time after which a connection is used without a ping. A ping costs a round trip.
const TRUSTED: Duration = Duration::from_secs(1);
/// The deadline of a ping.
pub(super) const PING: Duration = Duration::from_secs(1);

/// The suspected idle connections. Times are microseconds since `start`; 0 means never.
#[derive(Debug)]
pub(super) struct Suspicion {
    start: Instant,
    /// Connections idle since before this time are pinged.
    pinged_before: AtomicU64,
    /// Connections idle since before this time are closed.
    closed_before: AtomicU64,
}

/// What is known of an idle connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// It may be used.
    Trusted,
    /// It is pinged before its use.
    Suspected,
    /// It is closed.
    Outdated,
}

impl Default for Suspicion {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            pinged_before: AtomicU64::new(0),
            closed_before: AtomicU64::new(0),
        }
    }
}

impl Suspicion {
    /// Records that a connection has died. The connections that are idle now are pinged before their use, because they
    /// may have died too.
    pub(super) fn ping_idle(&self) {
        self.pinged_before.fetch_max(self.now(), Ordering::Relaxed);
    }

    /// Records that the server is no longer the right one. The connections that are idle now are closed.
    pub(super) fn close_idle(&self) {
        self.closed_before.fetch_max(self.now(), Ordering::Relaxed);
    }

    /// Whether a connection that has been idle for so long may be used.
    pub(super) async fn accepts(&self, connection: &mut PgConnection, idle_for: Duration) -> bool {
        match self.judge(idle_for) {
            Judgement::Trusted => return true,
            Judgement::Outdated => return false,
            Judgement::Suspected => {}
        }
        let is_alive = matches!(timeout(PING, connection.ping()).await, Ok(Ok(())));
        if !is_alive {
            self.ping_idle();
        }
        is_alive
    }

    /// Whether a connection that has been idle for so long is used without a ping.
    pub(super) fn trusts(&self, idle_for: Duration) -> bool {
        self.judge(idle_for) == Judgement::Trusted
    }

    fn judge(&self, idle_for: Duration) -> Judgement {
        let pinged_before = self.pinged_before.load(Ordering::Relaxed);
        let closed_before = self.closed_before.load(Ordering::Relaxed);
        if pinged_before.max(closed_before) == 0 && idle_for <= TRUSTED {
            return Judgement::Trusted;
        }
        let idle_since = self.now().saturating_sub(microseconds(idle_for));
        if idle_since < closed_before {
            Judgement::Outdated
        } else if idle_for <= TRUSTED && idle_since >= pinged_before {
            Judgement::Trusted
        } else {
            Judgement::Suspected
        }
    }

    fn now(&self) -> u64 {
        microseconds(self.start.elapsed()).max(1)
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The suspicion that began a minute ago.
    fn suspicion() -> Suspicion {
        let start = Instant::now().checked_sub(Duration::from_mins(1));
        Suspicion {
            start: start.expect("a machine that runs for a minute"),
            ..Suspicion::default()
        }
    }

    #[test]
    fn a_connection_is_pinged_after_a_second_and_if_it_was_idle_when_another_one_died() {
        let suspicion = suspicion();
        assert!(suspicion.trusts(TRUSTED) && !suspicion.trusts(TRUSTED * 2));
        suspicion.ping_idle();
        let before = TRUSTED / 2;
        assert_eq!(suspicion.judge(before), Judgement::Suspected);
        assert_eq!(suspicion.judge(Duration::ZERO), Judgement::Trusted);
    }

    #[test]
    fn a_connection_is_closed_if_it_was_idle_when_the_server_was_no_longer_the_right_one() {
        let suspicion = suspicion();
        suspicion.close_idle();
        suspicion.ping_idle();
        assert_eq!(suspicion.judge(TRUSTED / 2), Judgement::Outdated);
        assert_eq!(suspicion.judge(Duration::ZERO), Judgement::Trusted);
    }
}
