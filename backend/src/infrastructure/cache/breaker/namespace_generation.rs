//! The generation of the namespace: read, set for the first time, and begun anew, which distrusts everything stored before.
//!
//! Come here for `clear` and for what a restarted server means. How the record is written is in `stored::generation`.

use std::time::Duration;

use tokio::time::sleep;

use super::guarded_backend::{GuardedBackend, PROBE_INTERVAL};
use super::health::Unavailable;
use crate::infrastructure::cache::backends::Version;
use crate::infrastructure::cache::stored::{
    RecordedGeneration, parse_generation, write_generation,
};

/// The key of the namespace's generation.
const GENERATION_KEY: &str = "~generation";

/// The generation is read twice a second and set anew when it is gone.
const GENERATION_LIFETIME: Duration = Duration::from_hours(720);

/// Removes what the namespace holds where the server can list it (C24), and distrusts the rest. Other
/// instances follow within a [`PROBE_INTERVAL`].
pub(in crate::infrastructure::cache) async fn clear(
    backend: &GuardedBackend,
) -> Result<(), Unavailable> {
    // Before the record goes with the rest.
    let identity = recorded_identity(backend).await?;
    backend
        .unguarded
        .clear(&backend.namespace)
        .await
        .map_err(|error| Unavailable(error.to_string()))?;
    begin_generation(backend, &identity).await
}

/// Distrusts everything stored so far, in every instance: returns when all have had the time to learn of
/// the new generation. Where it cannot be set now, it is before the backend is trusted again.
pub(in crate::infrastructure::cache) async fn distrust_everything(backend: &GuardedBackend) {
    let begun = async { begin_generation(backend, &recorded_identity(backend).await?).await };
    if begun.await.is_err() {
        backend.distrust(&[], true);
    }
    // They ask for it once in an interval, and take no longer for it than the deadline.
    sleep(PROBE_INTERVAL + backend.deadline).await;
}

/// The server that the generation was set on.
async fn recorded_identity(backend: &GuardedBackend) -> Result<String, Unavailable> {
    let recorded = read_generation(backend).await?;
    recorded
        .map(|recorded| recorded.identity)
        .ok_or_else(|| Unavailable("the namespace has no generation yet".to_owned()))
}

/// Sets a new generation.
pub(super) async fn begin_generation(
    backend: &GuardedBackend,
    identity: &str,
) -> Result<(), Unavailable> {
    let generation: u64 = rand::random();
    let record = write_generation(generation, identity);
    backend
        .set(
            &backend.full_key(GENERATION_KEY),
            record,
            GENERATION_LIFETIME,
        )
        .await?;
    backend.set_generation(generation);
    Ok(())
}

/// Sets a first generation where there is none; `None` where another instance was faster and the
/// answer has to be read again.
pub(super) async fn claim_generation(
    backend: &GuardedBackend,
    identity: &str,
) -> Result<Option<u64>, Unavailable> {
    let generation: u64 = rand::random();
    let key = backend.full_key(GENERATION_KEY);
    let record = write_generation(generation, identity);
    if backend
        .compare_and_set(&key, &Version::Absent, record, GENERATION_LIFETIME)
        .await?
        .is_some()
    {
        return Ok(Some(generation));
    }
    Ok(read_generation(backend)
        .await?
        .filter(|recorded| recorded.identity == identity)
        .map(|recorded| recorded.generation))
}

pub(super) async fn read_generation(
    backend: &GuardedBackend,
) -> Result<Option<RecordedGeneration>, Unavailable> {
    let found = backend.get(&backend.full_key(GENERATION_KEY)).await?;
    Ok(found.and_then(|found| parse_generation(&found.value)))
}
