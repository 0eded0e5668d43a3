//! Reads: answered from the cache, from another request's run of the handler, or by the handler.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::{Error, error, rt};
use tracing::Instrument as _;

use super::answer::{answer_conditionally, respond, take_storable};
use super::backends::Version;
use super::entry::Entry;
use super::fill::Fill;
use super::lookup::{Decision, Lookup, full_keys};
use super::middleware::{Handler, InvalidRequestError, finish, warn_once};
use super::plan::{CompiledPolicy, NotCached};
use super::provider::{Cache, Registered, Shared};
use super::refresh::{Aged, Ageing, is_due};
use super::status::{Bypass, Outcome};

/// Answers a GET or HEAD.
pub(super) async fn read<S, B>(
    cache: Cache,
    policy: Rc<CompiledPolicy>,
    handler: Handler<S>,
    request: ServiceRequest,
) -> Result<ServiceResponse<BoxBody>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    if policy.invalidates_more() {
        tracing::error!(
            route = request.match_pattern().unwrap_or_default(),
            "{InvalidRequestError}"
        );
        return Ok(request.error_response(InvalidRequestError));
    }
    let shared = Arc::clone(&cache.shared);
    if !shared.enabled {
        let response = handler.run(request).await?;
        return Ok(finish(
            &shared,
            response,
            Outcome::Bypass(Bypass::Disabled),
            None,
        ));
    }
    let plan = match policy.read(request.request()) {
        Ok(plan) => plan,
        Err(NotCached { bypass, warning }) => {
            if let Some(warning) = warning {
                warn_once(&shared, &request, bypass, &warning);
            }
            let response = handler.run(request).await?;
            return Ok(finish(&shared, response, Outcome::Bypass(bypass), None));
        }
    };
    let Some(registered) = usable_backend(&shared, &policy) else {
        return run_alone(
            &shared,
            &policy,
            &handler,
            request,
            Outcome::Bypass(Bypass::Unavailable),
            plan.key,
        )
        .await;
    };
    let (full_key, group_key) = full_keys(&registered.guard, &plan);
    let lookup = Lookup {
        guard: &registered.guard,
        flights: &registered.flights,
        clock: &shared.clock,
        collapse_wait: shared.collapse_wait,
        near: policy.policy.near,
        key: &full_key,
        group: plan.group.as_deref().zip(group_key.as_deref()),
    };
    if request.method() == Method::HEAD {
        return match lookup.peek().await {
            Ok(Some(entry)) => Ok(hit(&shared, request, &entry, plan.key)),
            Ok(None) => {
                run_alone(
                    &shared,
                    &policy,
                    &handler,
                    request,
                    Outcome::Miss { stored: false },
                    plan.key,
                )
                .await
            }
            Err(_) => {
                let outcome = Outcome::Bypass(Bypass::Unavailable);
                run_alone(&shared, &policy, &handler, request, outcome, plan.key).await
            }
        };
    }
    let context = Context {
        cache: &cache,
        policy: &policy,
        lookup: &lookup,
        key: plan.key,
    };
    context.decide(handler, request).await
}

/// A read that has a key and a backend.
struct Context<'a> {
    cache: &'a Cache,
    policy: &'a Rc<CompiledPolicy>,
    lookup: &'a Lookup<'a>,
    key: String,
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
        let decision = self.lookup.decide(None).await;
        let decision = match decision {
            Ok(Decision::Stale(entry, version)) => {
                let ageing = self.ageing(Arc::clone(&entry), version.clone());
                match ageing.serve_stale(handler.clone(), &request).await {
                    Aged::Serve(outcome) => return Ok(self.answer(request, &entry, outcome)),
                    Aged::Answer(answer) => return answer,
                    // Claimed in place of what was seen.
                    Aged::Useless => self.lookup.decide(Some(entry.id)).await,
                }
            }
            decision => decision,
        };
        let outcome = match decision {
            Ok(Decision::Hit(entry, version)) => {
                if self.policy.policy.freshness.early_refresh
                    && is_due(&entry, shared.clock.milliseconds())
                {
                    self.ageing(Arc::clone(&entry), version)
                        .refresh_in_background(handler, &request);
                }
                return Ok(hit(shared, request, &entry, self.key));
            }
            Ok(Decision::Collapsed(entry)) => {
                return Ok(self.answer(request, &entry, Outcome::Collapsed));
            }
            Ok(Decision::Lead(lead)) => {
                let fill = Fill {
                    cache: self.cache.clone(),
                    policy: Rc::clone(self.policy),
                    full_key: self.lookup.key.to_owned(),
                    key: self.key,
                    lead: *lead,
                };
                return spawned(fill.run(handler, request)).await;
            }
            Ok(Decision::RunAlone | Decision::Stale(..)) => Outcome::Miss { stored: false },
            Err(_) => Outcome::Bypass(Bypass::Unavailable),
        };
        run_alone(shared, self.policy, &handler, request, outcome, self.key).await
    }

    fn ageing(&self, entry: Arc<Entry>, version: Version) -> Ageing<'_> {
        Ageing {
            cache: self.cache,
            policy: self.policy,
            lookup: self.lookup,
            key: &self.key,
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
            request.into_response(response),
            outcome,
            Some(self.key),
        )
    }
}

/// Answers from the entry.
fn hit(
    shared: &Shared,
    request: ServiceRequest,
    entry: &Arc<Entry>,
    key: String,
) -> ServiceResponse<BoxBody> {
    let now = shared.clock.milliseconds();
    let left = i128::from(entry.metadata.fresh_until()) - i128::from(now);
    let ttl = i64::try_from(left / 1000).unwrap_or_default();
    let response = respond(request.request(), entry, now);
    finish(
        shared,
        request.into_response(response),
        Outcome::Hit { ttl },
        Some(key),
    )
}

/// The backend of the policy, if it may be read and filled.
fn usable_backend<'a>(shared: &'a Shared, policy: &CompiledPolicy) -> Option<&'a Registered> {
    shared
        .backend_or_warn(policy.policy.backend_name)
        .filter(|registered| registered.guard.is_ready())
}

/// Runs the handler and stores nothing.
async fn run_alone<S, B>(
    shared: &Shared,
    policy: &CompiledPolicy,
    handler: &Handler<S>,
    request: ServiceRequest,
    outcome: Outcome,
    key: String,
) -> Result<ServiceResponse<BoxBody>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let response = handler.run(request).await?;
    // Answers of a cached route carry their entity tag whether or not they are stored.
    let (response, _) = take_storable(
        response,
        shared.max_body_bytes,
        policy.policy.freshness.negative > 0,
    );
    Ok(finish(
        shared,
        answer_conditionally(response),
        outcome,
        Some(key),
    ))
}

/// Runs a future to its end even if the client leaves meanwhile.
async fn spawned(
    future: impl Future<Output = Result<ServiceResponse<BoxBody>, Error>> + 'static,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let task = rt::spawn(future.in_current_span());
    task.await
        .map_err(|_| error::ErrorInternalServerError("the handler did not finish"))?
}
