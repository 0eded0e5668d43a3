//! The fill: one request runs the handler, stores its answer and gives it to the waiting requests.
//!
//! Come here when an answer was not stored although its request ran the handler. Which answers may be
//! stored is decided in `response`.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::rt::task::spawn_blocking;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::handler::{Handler, finish};
use super::misuse::CallerOfKey;
use super::response::{answer_conditionally, in_form_of, take_storable};
use crate::cache_status::{Bypass, Outcome};
use crate::clock::saturating_milliseconds;
use crate::events::Cause;
use crate::keys::Key;
use crate::lookup::FillPermit;
use crate::policy::CompiledPolicy;
use crate::provider::Cache;
use crate::spans;
use crate::stored::{CompleteAnswer, Entry, Provenance, ValueId, compress, shortened};

/// One run of a handler for a key.
pub(super) struct Fill {
    pub(super) cache: Cache,
    pub(super) policy: Rc<CompiledPolicy>,
    pub(super) key: Key,
    pub(super) caller: CallerOfKey,
    pub(super) permit: FillPermit,
}

impl Fill {
    /// Runs the handler, stores its answer if that is allowed, and answers the request that holds the
    /// permit.
    pub(super) fn run<S, B>(
        self,
        handler: Handler<S>,
        request: ServiceRequest,
    ) -> impl Future<Output = Result<ServiceResponse<BoxBody>, Error>>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        let span = spans::fill(self.key.name());
        spans::record_claim(&span, self.permit.single_flight.id().0);
        self.run_in_span(handler, request).instrument(span)
    }

    async fn run_in_span<S, B>(
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
        let policy = Rc::clone(&self.policy);
        // With a caller who became known only inside, in the handler or a middleware around it, the answer is neither stored nor given to the waiting requests.
        // They run their own handlers.
        let caller_became_known_inside =
            self.caller
                .changed(&shared, &self.policy, response.request());
        let answer = answer.filter(|_| !caller_became_known_inside);
        let (response, stored) = if let Some(answer) = answer {
            let cost = started.elapsed();
            self.store(answer, cost, response).await
        } else {
            self.give_up().await;
            (response, false)
        };
        Span::current().record("cache_stored", stored);
        Ok(finish(
            &shared,
            &policy,
            answer_conditionally(response),
            if caller_became_known_inside {
                Outcome::Bypass(Bypass::CallerInside)
            } else {
                Outcome::Miss { stored }
            },
            Some(&key),
        ))
    }

    /// Gives the answer to the waiting requests, and stores it if the claim still stands. Returns the response in the form of
    /// the entry, and whether it was stored.
    async fn store(
        self,
        answer: CompleteAnswer,
        cost: Duration,
        response: ServiceResponse<BoxBody>,
    ) -> (ServiceResponse<BoxBody>, bool) {
        let shared = &self.cache.shared;
        let Some(registered) = shared.backend(self.policy.policy.backend_name) else {
            return (response, false);
        };
        let freshness = self.policy.policy.freshness;
        // A 404 has a lifetime of its own, and is never given after it (C41).
        let (fresh, stale) = if answer.status == actix_web::http::StatusCode::NOT_FOUND {
            (freshness.negative, 0)
        } else {
            let expiration = self.policy.policy.expiration;
            let stale = freshness
                .stale_while_revalidate
                .max(freshness.stale_if_error);
            (expiration.unwrap_or(shared.default_expiration), stale)
        };
        let fresh = shortened(fresh.saturating_mul(1000), shared.jitter_percent);
        let stale = stale.saturating_mul(1000);
        // A refreshed entry is a new value with a new id.
        let entry = answer.into_entry(Provenance {
            id: ValueId::random(),
            key: self.key.identity(),
            stored: shared.clock.milliseconds(),
            fresh,
            cost: saturating_milliseconds(cost),
            generation: self.permit.generation,
            belonging: self.permit.belonging.clone(),
        });
        let entry = Arc::new(compressed(entry, shared.compress_min_bytes).await);
        let lifetime = Duration::from_millis(fresh.saturating_add(stale));
        let server = registered.servers.of(self.key.full());
        let filled = self
            .permit
            .fill(server, &self.key, Arc::clone(&entry), lifetime);
        let stored = filled.await;
        if stored {
            shared.record_stored(
                &self.key,
                &entry.metadata.belonging,
                Cause::request(response.request()),
            );
        }
        (in_form_of(&entry, response), stored)
    }

    /// Lets the waiting requests run their own handlers, and ends the claim.
    async fn give_up(self) {
        let backend_name = self.policy.policy.backend_name;
        if let Some(registered) = self.cache.shared.backend(backend_name) {
            let server = registered.servers.of(self.key.full());
            self.permit.give_up(server, &self.key).await;
        }
    }
}

/// The entry, with a compressed body if that has at least this size and becomes smaller.
async fn compressed(entry: Entry, min_bytes: Option<usize>) -> Entry {
    let is_large = min_bytes.is_some_and(|least| entry.body.len() >= least);
    if !is_large || !entry.may_be_compressed() {
        return entry;
    }
    let body = entry.body.clone();
    match spawn_blocking(move || compress(&body)).await {
        Ok(Some(body)) => entry.with_compressed_body(body),
        Ok(None) | Err(_) => entry,
    }
}
