//! Fills: the one request that runs the handler, stores its answer and gives it to those who wait.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use tokio::time::Instant;

use super::handler::{Handler, finish};
use super::misuse::CallerOfKey;
use super::response::{answer_conditionally, take_storable};
use crate::infrastructure::cache::cache_status::{Bypass, Outcome};
use crate::infrastructure::cache::clock::saturating_milliseconds;
use crate::infrastructure::cache::keys::Key;
use crate::infrastructure::cache::lookup::FillPermit;
use crate::infrastructure::cache::policy::CompiledPolicy;
use crate::infrastructure::cache::provider::Cache;
use crate::infrastructure::cache::stored::{CompleteAnswer, Provenance, ValueId, write_entry};

/// One run of a handler for a key.
pub(super) struct Fill {
    pub(super) cache: Cache,
    pub(super) policy: Rc<CompiledPolicy>,
    pub(super) key: Key,
    pub(super) caller: CallerOfKey,
    pub(super) permit: FillPermit,
}

impl Fill {
    /// Runs the handler, stores what may be stored and answers the request that leads.
    pub(super) async fn run<S, B>(
        self,
        handler: Handler<S>,
        request: ServiceRequest,
    ) -> Result<ServiceResponse<BoxBody>, Error>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        let started = Instant::now();
        let shared = Arc::clone(&self.cache.shared);
        let negative = self.policy.policy.freshness.negative > 0;
        let (response, answer) = match handler.run(request).await {
            Ok(response) => take_storable(response, shared.max_body_bytes, negative),
            Err(error) => {
                self.give_up().await;
                return Err(error);
            }
        };
        let key = self.key.clone();
        // Neither stored nor given to the requests that wait: they run their own handlers.
        let caller_is_inside = self
            .caller
            .changed(&shared, &self.policy, response.request());
        let answer = answer.filter(|_| !caller_is_inside);
        let stored = if let Some(answer) = answer {
            self.store(answer, started.elapsed()).await
        } else {
            self.give_up().await;
            false
        };
        Ok(finish(
            &shared,
            answer_conditionally(response),
            if caller_is_inside {
                Outcome::Bypass(Bypass::CallerInside)
            } else {
                Outcome::Miss { stored }
            },
            Some(&key),
        ))
    }

    /// Gives the answer to those who wait and stores it, if the claim still stands.
    async fn store(self, answer: CompleteAnswer, cost: Duration) -> bool {
        let shared = &self.cache.shared;
        let Some(registered) = shared.backend(self.policy.policy.backend_name) else {
            return false;
        };
        let freshness = self.policy.policy.freshness;
        let fresh = if answer.status == actix_web::http::StatusCode::NOT_FOUND {
            freshness.negative
        } else {
            self.policy
                .policy
                .expiration
                .unwrap_or(shared.default_expiration)
        };
        let fresh = shortened(fresh.saturating_mul(1000), shared.jitter_percent);
        let stale = freshness
            .stale_while_revalidate
            .max(freshness.stale_if_error)
            .saturating_mul(1000);
        // A refreshed entry is another value than the one it replaces.
        let entry = Arc::new(answer.into_entry(Provenance {
            id: ValueId::random(),
            key: self.key.identity(),
            stored: shared.clock.milliseconds(),
            fresh,
            cost: saturating_milliseconds(cost),
            generation: self.permit.generation,
            belonging: self.permit.belonging.clone(),
        }));
        self.permit.single_flight.land(Arc::clone(&entry));
        if !registered.backend.is_ready() {
            return false;
        }
        let lifetime = Duration::from_millis(fresh.saturating_add(stale));
        let stored = registered
            .backend
            .compare_and_set(
                self.key.full(),
                &self.permit.expected,
                write_entry(&entry),
                lifetime,
            )
            .await;
        // Too large, or the server is full: nobody shall wait for a claim that will not be filled.
        if stored.is_err() && registered.backend.is_ready() {
            self.give_up().await;
            return false;
        }
        matches!(stored, Ok(Some(_)))
    }

    /// Lets those who wait run on their own, and ends the claim.
    async fn give_up(self) {
        let Self {
            cache,
            policy,
            key,
            permit,
            ..
        } = self;
        let FillPermit {
            single_flight,
            refreshes,
            ..
        } = permit;
        drop(single_flight);
        // An entry that is being refreshed stays: it was not invalidated.
        if !refreshes && let Some(registered) = cache.shared.backend(policy.policy.backend_name) {
            registered.backend.release(key.full().to_owned()).await;
        }
    }
}

/// Shortens a time by a random part of up to `percent` (C40), never below a millisecond.
fn shortened(milliseconds: u64, percent: u8) -> u64 {
    let most = milliseconds / 100 * u64::from(percent.min(100));
    milliseconds
        .saturating_sub(rand::random_range(0..=most))
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn c40_jitter_shortens_by_at_most_its_percentage(milliseconds in 1_u64..1_000_000_000, percent in 0_u8..=100) {
            let jittered = shortened(milliseconds, percent);
            prop_assert!(jittered >= 1 && jittered <= milliseconds);
            prop_assert!(jittered + milliseconds * u64::from(percent) / 100 >= milliseconds);
        }
    }
}
