//! The supervisor of a backend: probes it, finds out when it is back, and brings it back into trust.
//!
//! The states and the reasons are told in [`super::guard`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::backends::{HEAD_BYTES, Version};
use super::guard::{Availability, BackendGuard, PROBE_INTERVAL, QUARANTINE, Unavailable};

/// The key of the namespace's generation.
const GENERATION_KEY: &str = "~generation";
/// The generation is read twice a second and set anew when it is gone.
const GENERATION_LIFETIME: Duration = Duration::from_hours(720);
/// Between attempts to confirm a doubtful backend.
const CONFIRMATION_PAUSE: Duration = Duration::from_millis(10);
/// Deletions delivered under one deadline.
const DELIVERY_BATCH: usize = 500;

/// Keeps the supervisor running for as long as it is held.
#[derive(Debug)]
pub(super) struct Supervisor(JoinHandle<()>);

impl Supervisor {
    /// Tries once to reach the backend, then watches over it.
    pub(super) async fn start(guard: Arc<BackendGuard>) -> Self {
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

/// Removes what the namespace holds where the server can list it (C24), and distrusts the rest. Other
/// instances follow within a [`PROBE_INTERVAL`].
pub(super) async fn clear(guard: &BackendGuard) -> Result<(), Unavailable> {
    // Before the record goes with the rest.
    let identity = recorded_identity(guard).await?;
    guard
        .backend
        .clear(&guard.namespace)
        .await
        .map_err(|error| Unavailable(error.to_string()))?;
    begin_generation(guard, &identity).await
}

/// Distrusts everything stored so far, in every instance: returns when all have had the time to learn of
/// the new generation. Where it cannot be set now, it is before the backend is trusted again.
pub(super) async fn distrust_everything(guard: &BackendGuard) {
    let begun = async { begin_generation(guard, &recorded_identity(guard).await?).await };
    if begun.await.is_err() {
        guard.distrust(&[], true);
    }
    // They ask for it once in an interval, and take no longer for it than the deadline.
    sleep(PROBE_INTERVAL + guard.deadline).await;
}

/// The server that the generation was set on.
async fn recorded_identity(guard: &BackendGuard) -> Result<String, Unavailable> {
    let recorded = read_generation(guard).await?;
    recorded
        .map(|recorded| recorded.identity)
        .ok_or_else(|| Unavailable("the namespace has no generation yet".to_owned()))
}

/// Sets a new generation.
async fn begin_generation(guard: &BackendGuard, identity: &str) -> Result<(), Unavailable> {
    let generation: u64 = rand::random();
    let record = write_generation(generation, identity);
    guard
        .set(&guard.full_key(GENERATION_KEY), record, GENERATION_LIFETIME)
        .await?;
    guard.set_generation(generation);
    Ok(())
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

/// Sets a first generation where there is none; `None` where another instance was faster and the
/// answer has to be read again.
async fn claim_generation(
    guard: &BackendGuard,
    identity: &str,
) -> Result<Option<u64>, Unavailable> {
    let generation: u64 = rand::random();
    let key = guard.full_key(GENERATION_KEY);
    let record = write_generation(generation, identity);
    if guard
        .compare_and_set(&key, &Version::Absent, record, GENERATION_LIFETIME)
        .await?
        .is_some()
    {
        return Ok(Some(generation));
    }
    Ok(read_generation(guard)
        .await?
        .filter(|recorded| recorded.identity == identity)
        .map(|recorded| recorded.generation))
}

struct RecordedGeneration {
    generation: u64,
    identity: String,
}

async fn read_generation(guard: &BackendGuard) -> Result<Option<RecordedGeneration>, Unavailable> {
    let found = guard.get(&guard.full_key(GENERATION_KEY)).await?;
    Ok(found.and_then(|found| parse_generation(&found.value)))
}

/// One readable line, with the head that every stored value has.
fn write_generation(generation: u64, identity: &str) -> Bytes {
    Bytes::from(format!("cache/2 {generation:016x} generation {identity}\n"))
}

fn parse_generation(value: &[u8]) -> Option<RecordedGeneration> {
    let text = std::str::from_utf8(value).ok()?;
    let generation =
        u64::from_str_radix(text.get(..HEAD_BYTES)?.strip_prefix("cache/2 ")?, 16).ok()?;
    let identity = text
        .get(HEAD_BYTES..)?
        .strip_prefix(" generation ")?
        .strip_suffix('\n')?
        .to_owned();
    Some(RecordedGeneration {
        generation,
        identity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_read_back() {
        let recorded = parse_generation(&write_generation(12, "run-1")).unwrap();
        assert_eq!(
            (recorded.generation, recorded.identity.as_str()),
            (12, "run-1")
        );
    }

    #[test]
    fn a_foreign_value_is_no_generation() {
        assert!(parse_generation(b"cache/2 000000000000000c other x\n").is_none());
        assert!(parse_generation(b"").is_none());
    }
}
