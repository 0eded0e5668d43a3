//! The supervisor of a backend: probes it, finds out when it is back, and brings it back into trust.
//!
//! The states and the reasons are told in [`super::guarded_backend`].

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::guarded_backend::{GuardedBackend, PROBE_INTERVAL, QUARANTINE};
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
    pub(in crate::infrastructure::cache) async fn start(backend: Arc<GuardedBackend>) -> Self {
        let met_outage = recover(&backend, false).await.is_err();
        Self(tokio::spawn(supervise(backend, met_outage)))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn supervise(backend: Arc<GuardedBackend>, mut met_outage: bool) {
    let mut probe_at = Instant::now() + PROBE_INTERVAL;
    loop {
        match backend.availability() {
            Availability::Away => {
                if met_outage {
                    sleep_until(probe_at).await;
                }
                probe_at = Instant::now() + PROBE_INTERVAL;
                met_outage = true;
                probe(&backend).await;
            }
            Availability::Recovering => {
                let ended = async {
                    while backend.availability() == Availability::Recovering {
                        backend.wake.notified().await;
                    }
                };
                if timeout(QUARANTINE, ended).await.is_err() {
                    confirm(&backend, Availability::Recovering).await;
                }
            }
            Availability::Doubtful => {
                met_outage = false;
                if !confirm(&backend, Availability::Doubtful).await {
                    sleep(CONFIRMATION_PAUSE).await;
                }
            }
            Availability::Ready => {
                // The first probe after a healthy time comes at once.
                met_outage = false;
                let _ = timeout(PROBE_INTERVAL, backend.wake.notified()).await;
                while backend.availability() == Availability::Ready
                    && !confirm(&backend, Availability::Ready).await
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
async fn probe(backend: &GuardedBackend) {
    for _ in 0..2 {
        // Its error is in the log already, if it is time for one.
        if recover(backend, true).await.is_ok() {
            return;
        }
    }
}

/// Brings a backend that is away back: delivers what it is owed, then distrusts what it holds.
async fn recover(backend: &GuardedBackend, met_outage: bool) -> Result<(), Unavailable> {
    let identity = backend.observe(backend.unguarded.server_identity()).await?;
    let recorded = read_generation(backend).await?;
    if !met_outage {
        // At the start there is nothing to make good, unless the server is not the one it was.
        let generation = match recorded {
            Some(recorded) if recorded.identity == identity => Some(recorded.generation),
            Some(_) => None,
            None => claim_generation(backend, &identity).await?,
        };
        if let Some(generation) = generation {
            backend.set_generation(generation);
            backend.advance(Availability::Away, Availability::Ready);
            return Ok(());
        }
    }
    // From here on deletions are sent at once, as there may be more and more of them; those kept so
    // far are delivered meanwhile.
    let owed = {
        let mut pending_deletions = backend.pending_deletions();
        backend.set_availability(Availability::Recovering);
        std::mem::take(&mut *pending_deletions)
    };
    let keys: Vec<String> = owed.keys.into_iter().collect();
    let settled = settle(backend, &keys, &identity).await;
    if settled.is_err() {
        backend.distrust(&keys, owed.overflowed);
    }
    settled
}

/// Delivers the deletions that are owed, then distrusts what the backend held before.
async fn settle(
    backend: &GuardedBackend,
    owed: &[String],
    identity: &str,
) -> Result<(), Unavailable> {
    for batch in owed.chunks(DELIVERY_BATCH) {
        backend.observe(backend.unguarded.delete(batch)).await?;
    }
    begin_generation(backend, identity).await
}

/// Asks whether the server is still the one that the generation was set on, and takes over the
/// generation. Answers whether it could be asked.
async fn confirm(backend: &GuardedBackend, from: Availability) -> bool {
    let before = backend.generation();
    let identity = backend.observe(backend.unguarded.server_identity()).await;
    let recorded = read_generation(backend).await;
    let (Ok(identity), Ok(recorded)) = (identity, recorded) else {
        return false;
    };
    let generation = match recorded {
        Some(recorded) if recorded.identity == identity => Some(recorded.generation),
        // Flushed or evicted: what is gone is not stale.
        None => match claim_generation(backend, &identity).await {
            Ok(generation) => generation,
            Err(_) => return false,
        },
        Some(_) => None,
    };
    if let Some(generation) = generation {
        // A newer one may have been set here while this one was under way.
        if !backend.replace_generation(before, generation) {
            return false;
        }
        match from {
            Availability::Doubtful => {
                backend.advance(from, Availability::Recovering);
            }
            Availability::Recovering => {
                backend.advance(from, Availability::Ready);
            }
            Availability::Ready | Availability::Away => {}
        }
    } else {
        tracing::warn!(
            backend = backend.registered_name,
            "the cache server is another than before"
        );
        backend.set_availability(Availability::Away);
    }
    true
}
