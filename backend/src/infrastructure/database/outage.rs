//! Outages: a server that no longer responds, although its connections are open.
//!
//! Come here to change when waiting statements are given up. During an outage statements fail at once instead of after
//! their deadlines. A refused connection is no outage in this sense, because it is an error at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::pool::Shared;
use super::probe::NotReady;

/// The wait between two checks during an outage.
const INTERVAL: Duration = Duration::from_millis(500);

/// Whether the server has stopped responding.
#[derive(Debug)]
pub(super) struct Outage {
    is_on: watch::Sender<bool>,
    is_checked: AtomicBool,
}

impl Default for Outage {
    fn default() -> Self {
        Self {
            is_on: watch::Sender::new(false),
            is_checked: AtomicBool::new(false),
        }
    }
}

impl Outage {
    /// Whether statements are refused, because the server does not respond.
    pub(super) fn is_on(&self) -> bool {
        *self.is_on.borrow()
    }

    /// Waits until the server has stopped responding.
    pub(super) async fn begins(&self) {
        let mut is_on = self.is_on.subscribe();
        // It fails only when the sender is dropped, which `self` holds.
        let _ = is_on.wait_for(|is_on| *is_on).await;
    }

    /// Checks the server in the background, unless a check is under way. Called when an answer takes too long. If the
    /// server does not respond, an outage begins, and lasts until the server responds.
    pub(super) fn suspect(shared: &Arc<Shared>) {
        if shared.outage.is_checked.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let outage = &shared.outage;
            while shared.probe.check().await == Err(NotReady::Silent) && !shared.pool.is_closed() {
                if !outage.is_on.send_replace(true) {
                    tracing::error!(
                        "the database does not respond: requests are refused until it does"
                    );
                }
                sleep(INTERVAL).await;
            }
            if outage.is_on.send_replace(false) {
                // Connections from before may have died.
                shared.suspicion.ping_idle();
                tracing::info!("the database responds again");
            }
            outage.is_checked.store(false, Ordering::Release);
        });
    }
}
