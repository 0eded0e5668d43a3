//! Computations: the value of a future under a key, with the guarantees of a route (C51).
//!
//! Come here to change how a service caches a part of an answer. The protocol is in `lookup`; the reads
//! of routes are in `middleware::read`.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use super::provider::{Provider, json_answer};
use super::registry::{RegisteredBackend, Shared};
use crate::breaker::{GuardedBackend, Places};
use crate::clock::saturating_milliseconds;
use crate::events::{Cause, EventSource};
use crate::keys::{Key, Memberships, group_key};
use crate::lookup::{Claimant, Decider, Decision, FillPermit, Lookup};
use crate::stored::{CompleteAnswer, Provenance, ValueId, shortened};

/// A computation whose value is cached. Made by [`Cache::computation`](super::Cache::computation).
///
/// Defaults: no group, and `DEFAULT_CACHE_EXPIRATION`.
///
/// ```no_run
/// # async fn example(cache: &response_cache::Cache) -> Result<(), String> {
/// let total: u64 = cache
///     .computation("report:7")
///     .group("reports")
///     .get_or_compute(async { Ok::<_, String>(42) })
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a computation runs with get_or_compute"]
pub struct Computation<'a> {
    provider: Provider<'a>,
    key: &'a str,
    group: Option<&'a str>,
    expiration: Option<Duration>,
}

/// This is here and not in `provider`, because a computation uses the methods there.
impl<'a> Provider<'a> {
    /// See [`Cache::computation`](super::Cache::computation).
    pub fn computation(&self, key: &'a str) -> Computation<'a> {
        Computation::new(*self, key)
    }
}

impl<'a> Computation<'a> {
    fn new(provider: Provider<'a>, key: &'a str) -> Self {
        Self {
            provider,
            key,
            group: None,
            expiration: None,
        }
    }

    /// The group that the value belongs to:
    /// [`invalidate_group`](super::Cache::invalidate_group) ends it, and so does a write that names the group (C36).
    pub fn group(mut self, group: &'a str) -> Self {
        self.group = Some(group);
        self
    }

    /// The time that the value is used. With 0 the value is not stored.
    pub fn expiration(mut self, expiration: Duration) -> Self {
        self.expiration = Some(expiration);
        self
    }

    /// The stored value. Where there is none, the computation runs and its value is stored.
    ///
    /// - The computation of one key runs once at a time: other tasks of this process wait for it, other
    ///   processes for at most `CACHE_COLLAPSE_WAIT_MS` (C34).
    /// - A value that was computed from the state before an invalidation is never stored after it (C33).
    /// - It runs to its end even if the future that waits for it is dropped, so it must own its data.
    /// - Values larger than `CACHE_MAX_BODY_BYTES` are not stored. A stored value that is not of type
    ///   `T` is computed again, with a warning.
    ///
    /// # Errors
    /// Those of the computation, which are not stored. A fault of the cache is no error: the computation
    /// runs.
    ///
    /// # Panics
    /// Where the computation panics.
    pub async fn get_or_compute<T, E, F>(self, computation: F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let Some(plan) = self.plan() else {
            return spawned(computation).await;
        };
        let shared = self.provider.shared;
        // Most computations have a stored value, so the claim is not sent with the look-up.
        let found_nothing = AtomicBool::new(false);
        let decider = Decider {
            claimant: Claimant {
                lookup: Lookup {
                    places: plan.places,
                    clock: &shared.clock,
                    near: true,
                    key: &plan.key,
                    memberships: &plan.memberships,
                },
                single_flights: &plan.registered.single_flights,
                longest_lifetime: plan.expiration,
            },
            collapse_wait: shared.collapse_wait,
            found_nothing: &found_nothing,
        };
        let decision = match decider.decide(None).await {
            // A route may still use an entry after its expiry. A computation may not.
            Ok(Decision::Stale(entry, _)) => decider.decide(Some(entry.id)).await,
            decision => decision,
        };
        match decision {
            Ok(Decision::Hit(entry, ..) | Decision::Collapsed(entry)) => {
                match serde_json::from_slice(&entry.plain_body().unwrap_or_default()) {
                    Ok(value) => Ok(value),
                    Err(error) => {
                        tracing::warn!(
                            key = self.key,
                            "a cached value is of another type: {error}"
                        );
                        spawned(computation).await
                    }
                }
            }
            Ok(Decision::Fill(permit)) => {
                let fill = Fill {
                    shared: Arc::clone(shared),
                    backend: Arc::clone(plan.places.of_key),
                    key: plan.key.clone(),
                    expiration: plan.expiration,
                    permit: *permit,
                };
                spawned(fill.run(computation)).await
            }
            Ok(Decision::RunAlone | Decision::Stale(..)) | Err(_) => spawned(computation).await,
        }
    }

    /// The look-up of the value; `None` where the cache cannot be used.
    fn plan(&self) -> Option<Plan<'a>> {
        let shared = self.provider.shared;
        let registered = self.provider.registered.filter(|_| shared.enabled)?;
        let key = match self.provider.key(self.key) {
            Ok(key) => key,
            Err(error) => {
                tracing::error!(key = self.key, "a computation is not cached: {error}");
                return None;
            }
        };
        let default = Duration::from_secs(shared.default_expiration);
        let expiration = self.expiration.unwrap_or(default);
        if saturating_milliseconds(expiration) == 0 {
            return None;
        }
        let servers = &registered.servers;
        let memberships = Memberships {
            group: self.group.map(|group| servers.key(&group_key(group))),
            ..Memberships::default()
        };
        let places = servers.places(&key, &memberships);
        places.are_ready().then_some(Plan {
            registered,
            places,
            key,
            memberships,
            expiration,
        })
    }
}

/// The look-up of a computation's value.
struct Plan<'a> {
    registered: &'a RegisteredBackend,
    places: Places<'a>,
    key: Key,
    memberships: Memberships,
    expiration: Duration,
}

/// One run of a computation whose value may be stored.
struct Fill {
    shared: Arc<Shared>,
    backend: Arc<GuardedBackend>,
    key: Key,
    expiration: Duration,
    permit: FillPermit,
}

impl Fill {
    /// Runs the computation, stores its value and gives it to the waiting tasks.
    async fn run<T, E, F>(self, computation: F) -> Result<T, E>
    where
        T: Serialize,
        F: Future<Output = Result<T, E>>,
    {
        // The end of the process waits for this task. If the process accepts no more tasks, the value is
        // computed all the same.
        let _task = self.shared.begin_task();
        let started = Instant::now();
        let value = match computation.await {
            Ok(value) => value,
            Err(error) => {
                self.permit.give_up(&self.backend, &self.key).await;
                return Err(error);
            }
        };
        match json_answer(&value) {
            Ok(answer) if answer.body.len() <= self.shared.max_body_bytes => {
                self.store(answer, started.elapsed()).await;
            }
            Ok(_) => self.permit.give_up(&self.backend, &self.key).await,
            Err(error) => {
                let key = self.key.name();
                tracing::error!(key, "a computed value cannot be written as JSON: {error}");
                self.permit.give_up(&self.backend, &self.key).await;
            }
        }
        Ok(value)
    }

    async fn store(self, answer: CompleteAnswer, cost: Duration) {
        let fresh = shortened(
            saturating_milliseconds(self.expiration),
            self.shared.jitter_percent,
        );
        let entry = answer.into_entry(Provenance {
            id: ValueId::random(),
            key: self.key.identity(),
            stored: self.shared.clock.milliseconds(),
            fresh,
            cost: saturating_milliseconds(cost),
            generation: self.permit.generation,
            belonging: self.permit.belonging.clone(),
        });
        let lifetime = Duration::from_millis(fresh);
        let entry = Arc::new(entry);
        let filled = self
            .permit
            .fill(&self.backend, &self.key, Arc::clone(&entry), lifetime);
        if filled.await {
            let cause = Cause::without_request(EventSource::Service);
            self.shared
                .record_stored(&self.key, &entry.metadata.belonging, cause);
        }
    }
}

/// Runs a future to its end even if its caller is dropped meanwhile. A panic of the future becomes the
/// caller's.
async fn spawned<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(future.in_current_span()).await {
        Ok(output) => output,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is ending, and this task ends with it.
            Err(_) => std::future::pending().await,
        },
    }
}
