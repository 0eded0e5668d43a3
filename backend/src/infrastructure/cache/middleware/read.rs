//! Reads: answered from the cache, from another request's run of the handler, or by the handler.
//!
//! Come here to see how a GET or HEAD is answered. The decision between hit, fill and wait is in
//! `lookup`.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::{Error, error, rt};
use tracing::Instrument as _;

use super::fill::Fill;
use super::handler::{Handler, finish, say_once};
use super::looking_up::{decider, lookup};
use super::misuse::{CallerOfKey, InvalidRequestError};
use super::refresh::{Ageing, StaleResult, is_due};
use super::response::{answer_conditionally, respond, take_storable};
use super::verify::{Hit, verify_in_background};
use crate::backends::Version;
use crate::breaker::Unavailable;
use crate::cache_status::{Bypass, Outcome};
use crate::keys::Key;
use crate::lookup::{Decider, Decision, Lookup};
use crate::policy::{CompiledPolicy, NotCached, ReadPlan};
use crate::provider::{Cache, RegisteredBackend, Shared};
use crate::spans;
use crate::stored::{Entry, ValueId};

/// The first step of a read, decided without waiting.
pub(super) enum FirstStep {
    /// The answer is available without a round trip, at this time of the cache's clock.
    Hit(Arc<Entry>, ReadPlan, u64),
    /// The backend has to be asked.
    Ask(ReadPlan),
    /// The handler runs, and its answer is not stored.
    Alone(Outcome, Option<Key>),
    /// The policy must not be on a route that reads.
    Misused(InvalidRequestError),
}

/// Decides the first step. A hit without a round trip ends here: a future would cost more than the
/// look-up.
pub(super) fn begin(
    shared: &Shared,
    policy: &CompiledPolicy,
    request: &ServiceRequest,
) -> FirstStep {
    if policy.invalidates_more() {
        let misuse = InvalidRequestError::InvalidatesOnRead;
        misuse.log(policy, request.request());
        return FirstStep::Misused(misuse);
    }
    if !shared.enabled {
        return FirstStep::Alone(Outcome::Bypass(Bypass::Disabled), None);
    }
    let mut plan = match policy.read(request.request(), &shared.namespace) {
        Ok(plan) => plan,
        Err(NotCached { bypass, problem }) => {
            if let Some(problem) = problem {
                say_once(shared, request, bypass, &problem);
            }
            return FirstStep::Alone(Outcome::Bypass(bypass), None);
        }
    };
    let Some(registered) = shared.backend_or_warn(policy.policy.backend_name) else {
        return FirstStep::Alone(Outcome::Bypass(Bypass::Unavailable), Some(plan.key));
    };
    plan.fit(registered.servers.max_key_bytes());
    let lookup = lookup(shared, policy, registered, &plan);
    if !lookup.places.are_ready() {
        return FirstStep::Alone(Outcome::Bypass(Bypass::Unavailable), Some(plan.key));
    }
    // An early refresh is decided by a random number, and only once: in `ask`.
    if policy.policy.freshness.early_refresh {
        return FirstStep::Ask(plan);
    }
    let now = shared.clock.milliseconds();
    match lookup.at_hand(now) {
        Some(entry) => FirstStep::Hit(entry, plan, now),
        None => FirstStep::Ask(plan),
    }
}

/// Answers a GET or HEAD by asking the backend.
pub(super) async fn ask<S, B>(
    cache: Cache,
    policy: Rc<CompiledPolicy>,
    handler: Handler<S>,
    request: ServiceRequest,
    plan: ReadPlan,
) -> Result<ServiceResponse<BoxBody>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let shared = &cache.shared;
    let caller = CallerOfKey::of(request.request());
    let Some(registered) = usable_backend(shared, &policy, &plan) else {
        let outcome = Outcome::Bypass(Bypass::Unavailable);
        let key = Some(plan.key);
        return alone(&cache, &policy, handler, request, outcome, key, &caller).await;
    };
    if request.method() == Method::HEAD {
        let lookup = lookup(shared, &policy, registered, &plan);
        let outcome = match lookup.peek().await {
            Ok(Some(entry)) => {
                let now = shared.clock.milliseconds();
                return Ok(hit(shared, &policy, request, &entry, &plan.key, now));
            }
            Ok(None) => Outcome::Miss { stored: false },
            Err(_) => Outcome::Bypass(Bypass::Unavailable),
        };
        let key = Some(plan.key);
        return alone(&cache, &policy, handler, request, outcome, key, &caller).await;
    }
    let decider = decider(shared, &policy, registered, &plan);
    let context = Context {
        cache: &cache,
        policy: &policy,
        decider: &decider,
        caller: &caller,
    };
    context.decide(handler, request).await
}

/// A read with a key and a backend.
struct Context<'a> {
    cache: &'a Cache,
    policy: &'a Rc<CompiledPolicy>,
    decider: &'a Decider<'a>,
    caller: &'a CallerOfKey,
}

impl Context<'_> {
    async fn decide<S, B>(
        self,
        handler: Handler<S>,
        request: ServiceRequest,
    ) -> Result<ServiceResponse<BoxBody>, Error>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        let shared = &self.cache.shared;
        let decision = match self.look_up(None).await {
            Ok(Decision::Stale(entry, version)) => {
                let ageing = self.ageing(Arc::clone(&entry), version.clone());
                match Box::pin(ageing.serve_stale(handler.clone(), &request)).await {
                    StaleResult::Serve(outcome) => return Ok(self.answer(request, &entry, outcome)),
                    StaleResult::Answer(answer) => return answer,
                    // The key is claimed in place of the expired entry.
                    StaleResult::Unusable => Box::pin(self.look_up(Some(entry.id))).await,
                }
            }
            decision => decision,
        };
        let outcome = match decision {
            Ok(Decision::Hit(entry, version, now)) => {
                if let Some(comparison) = shared.verification.begin(entry.id) {
                    let hit = Hit {
                        cache: self.cache.clone(),
                        policy: Rc::clone(self.policy),
                        handler: handler.clone(),
                        request: request.request().clone(),
                        plan: ReadPlan {
                            key: self.lookup().key.clone(),
                            memberships: self.lookup().memberships.clone(),
                        },
                        entry: Arc::clone(&entry),
                    };
                    verify_in_background(comparison, hit);
                }
                if self.policy.policy.freshness.early_refresh && is_due(&entry, now) {
                    self.ageing(Arc::clone(&entry), version)
                        .refresh_in_background(handler, &request);
                }
                return Ok(hit(
                    shared,
                    self.policy,
                    request,
                    &entry,
                    self.lookup().key,
                    now,
                ));
            }
            Ok(Decision::Collapsed(entry)) => {
                return Ok(self.answer(request, &entry, Outcome::Collapsed));
            }
            Ok(Decision::Fill(permit)) => {
                let fill = Fill {
                    cache: self.cache.clone(),
                    policy: Rc::clone(self.policy),
                    key: self.lookup().key.clone(),
                    caller: self.caller.clone(),
                    permit: *permit,
                };
                return spawned(shared, fill.run(handler, request)).await;
            }
            Ok(Decision::RunAlone | Decision::Stale(..)) => Outcome::Miss { stored: false },
            Err(_) => Outcome::Bypass(Bypass::Unavailable),
        };
        let key = Some(self.lookup().key.clone());
        alone(
            self.cache,
            self.policy,
            handler,
            request,
            outcome,
            key,
            self.caller,
        )
        .await
    }

    /// Decides the next step, in a span of its own.
    async fn look_up(&self, unusable: Option<ValueId>) -> Result<Decision, Unavailable> {
        let span = spans::look_up(self.lookup().key.name());
        // Pinned here, since the span would take it by value.
        let decide = pin!(self.decider.decide(unusable));
        let decision = decide.instrument(span.clone()).await;
        let name = decision.as_ref().map_or("unavailable", Decision::name);
        span.record("cache_decision", name);
        decision
    }

    fn lookup(&self) -> &Lookup<'_> {
        &self.decider.claimant.lookup
    }

    fn ageing(&self, entry: Arc<Entry>, version: Version) -> Ageing<'_> {
        Ageing {
            cache: self.cache,
            policy: self.policy,
            claimant: &self.decider.claimant,
            caller: self.caller,
            entry,
            version,
        }
    }

    fn answer(
        self,
        request: ServiceRequest,
        entry: &Arc<Entry>,
        outcome: Outcome,
    ) -> ServiceResponse<BoxBody> {
        let response = respond(
            request.request(),
            entry,
            self.cache.shared.clock.milliseconds(),
        );
        finish(
            &self.cache.shared,
            self.policy,
            request.into_response(response),
            outcome,
            Some(self.lookup().key),
        )
    }
}

/// Answers from the entry, at the time `now` of the cache's clock.
pub(super) fn hit(
    shared: &Shared,
    policy: &CompiledPolicy,
    request: ServiceRequest,
    entry: &Entry,
    key: &Key,
    now: u64,
) -> ServiceResponse<BoxBody> {
    let left = entry.metadata.fresh_until().cast_signed() - now.cast_signed();
    let ttl = left / 1000;
    let response = respond(request.request(), entry, now);
    finish(
        shared,
        policy,
        request.into_response(response),
        Outcome::Hit { ttl },
        Some(key),
    )
}

/// The backend of the policy, if the servers of the plan are ready.
fn usable_backend<'a>(
    shared: &'a Shared,
    policy: &CompiledPolicy,
    plan: &ReadPlan,
) -> Option<&'a RegisteredBackend> {
    let registered = shared.backend_or_warn(policy.policy.backend_name)?;
    let places = registered.servers.places(&plan.key, &plan.memberships);
    places.are_ready().then_some(registered)
}

/// Runs the handler without storing its answer.
pub(super) async fn alone<S, B>(
    cache: &Cache,
    policy: &CompiledPolicy,
    handler: Handler<S>,
    request: ServiceRequest,
    outcome: Outcome,
    key: Option<Key>,
    caller: &CallerOfKey,
) -> Result<ServiceResponse<BoxBody>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let mut response = handler.run(request).await?;
    let may_have_been_cached = matches!(
        outcome,
        Outcome::Miss { .. } | Outcome::Bypass(Bypass::NoCaller)
    );
    let outcome =
        if may_have_been_cached && caller.changed(&cache.shared, policy, response.request()) {
            Outcome::Bypass(Bypass::CallerInside)
        } else {
            outcome
        };
    if key.is_some() {
        // Answers of a cached route carry their entity tag whether or not they are stored.
        let negative = policy.policy.freshness.negative > 0;
        response = take_storable(response, cache.shared.max_body_bytes, negative).0;
        response = answer_conditionally(response);
    }
    Ok(finish(
        &cache.shared,
        policy,
        response,
        outcome,
        key.as_ref(),
    ))
}

/// Runs a future to its end even if the client leaves meanwhile. It runs from now on. What is returned only waits for it, and so
/// adds little to the future of each hit.
fn spawned(
    shared: &Shared,
    future: impl Future<Output = Result<ServiceResponse<BoxBody>, Error>> + 'static,
) -> impl Future<Output = Result<ServiceResponse<BoxBody>, Error>> {
    let task = rt::spawn(shared.tasks.track_future(future.in_current_span()));
    async move {
        task.await
            .map_err(|_| error::ErrorInternalServerError("the handler did not finish"))?
    }
}
