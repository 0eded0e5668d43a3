//! The supervisor of a backend: probes it, finds out when it is back, and brings it back into trust.
//!
//! The states and the reasons are told in [`super::guarded_backend`].

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::guarded_backend::{BackendGuard, PROBE_INTERVAL, QUARANTINE};
use super::health::{Availability, Unavailable};
use super::namespace_generation::{begin_generation, claim_generation, read_generation};

/// Between attempts to confirm a doubtful backend.
const CONFIRMATION_PAUSE: Duration = Duration::from_millis(10);
/// Deletions delivered under one deadline.
const DELIVERY_BATCH: usize = 500;

/// Keeps the supervisor running for as long as it is held.
#[derive(Debug)]
pub(in crate::infrastructure::cache) struct Supervisor(JoinHandle<()>);

impl Supervisor {
    /// Tries once to reach the backend, then watches over it.
    pub(in crate::infrastructure::cache) async fn start(guard: Arc<BackendGuard>) -> Self {
        let met_outage = recover(&guard, false).await.is_err();
        Self(tokio::spawn(supervise(guard, met_outage)))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn supervise(guard: Arc<BackendGuard>, mut met_outage: bool) {
    let mut probe_at = Instant::now() + PROBE_INTERVAL;
    loop {
        match guard.availability() {
            Availability::Away => {
                if met_outage {
                    sleep_until(probe_at).await;
                }
                probe_at = Instant::now() + PROBE_INTERVAL;
                met_outage = true;
                probe(&guard).await;
            }
            Availability::Recovering => {
                let ended = async {
                    while guard.availability() == Availability::Recovering {
                        guard.wake.notified().await;
                    }
                };
                if timeout(QUARANTINE, ended).await.is_err() {
                    confirm(&guard, Availability::Recovering).await;
                }
            }
            Availability::Doubtful => {
                met_outage = false;
                if !confirm(&guard, Availability::Doubtful).await {
                    sleep(CONFIRMATION_PAUSE).await;
                }
            }
            Availability::Ready => {
                // The first probe after a healthy time comes at once.
                met_outage = false;
                let _ = timeout(PROBE_INTERVAL, guard.wake.notified()).await;
                while guard.availability() == Availability::Ready
                    && !confirm(&guard, Availability::Ready).await
                {
                    sleep(CONFIRMATION_PAUSE).await;
                }
            }
        }
    }
}

/// Tries to bring a backend that is away back, a second time at once where the first fails: it may have
/// met connections that were made during the outage and died unnoticed since, and the others wait for no
/// longer than [`QUARANTINE`] for what this instance owes.
async fn probe(guard: &BackendGuard) {
    for _ in 0..2 {
        // Its error is in the log already, if it is time for one.
        if recover(guard, true).await.is_ok() {
            return;
        }
    }
}

/// Brings a backend that is away back: delivers what it is owed, then distrusts what it holds.
async fn recover(guard: &BackendGuard, met_outage: bool) -> Result<(), Unavailable> {
    let identity = guard.observe(guard.backend.server_identity()).await?;
    let recorded = read_generation(guard).await?;
    if !met_outage {
        // At the start there is nothing to make good, unless the server is not the one it was.
        let generation = match recorded {
            Some(recorded) if recorded.identity == identity => Some(recorded.generation),
            Some(_) => None,
            None => claim_generation(guard, &identity).await?,
        };
        if let Some(generation) = generation {
            guard.set_generation(generation);
            guard.advance(Availability::Away, Availability::Ready);
            return Ok(());
        }
    }
    // From here on deletions are sent at once, as there may be more and more of them; those kept so
    // far are delivered meanwhile.
    let owed = {
        let mut undelivered = guard.undelivered();
        guard.set_availability(Availability::Recovering);
        std::mem::take(&mut *undelivered)
    };
    let keys: Vec<String> = owed.keys.into_iter().collect();
    let settled = settle(guard, &keys, &identity).await;
    if settled.is_err() {
        guard.distrust(&keys, owed.overflowed);
    }
    settled
}

/// Delivers the deletions that are owed, then distrusts what the backend held before.
async fn settle(guard: &BackendGuard, owed: &[String], identity: &str) -> Result<(), Unavailable> {
    for batch in owed.chunks(DELIVERY_BATCH) {
        guard.observe(guard.backend.delete(batch)).await?;
    }
    begin_generation(guard, identity).await
}

/// Asks whether the server is still the one that the generation was set on, and takes over the
/// generation. Answers whether it could be asked.
async fn confirm(guard: &BackendGuard, from: Availability) -> bool {
    let before = guard.generation();
    let identity = guard.observe(guard.backend.server_identity()).await;
    let recorded = read_generation(guard).await;
    let (Ok(identity), Ok(recorded)) = (identity, recorded) else {
        return false;
    };
    let generation = match recorded {
        Some(recorded) if recorded.identity == identity => Some(recorded.generation),
        // Flushed or evicted: what is gone is not stale.
        None => match claim_generation(guard, &identity).await {
            Ok(generation) => generation,
            Err(_) => return false,
        },
        Some(_) => None,
    };
    if let Some(generation) = generation {
        // A newer one may have been set here while this one was under way.
        if !guard.replace_generation(before, generation) {
            return false;
        }
        match from {
            Availability::Doubtful => {
                guard.advance(from, Availability::Recovering);
            }
            Availability::Recovering => {
                guard.advance(from, Availability::Ready);
            }
            Availability::Ready | Availability::Away => {}
        }
    } else {
        tracing::warn!(
            backend = guard.registered_name,
            "the cache server is another than before"
        );
        guard.set_availability(Availability::Away);
    }
    true
}
