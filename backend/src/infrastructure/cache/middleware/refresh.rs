//! Entries near or past their expiry: refreshed early, refreshed while the old answer is given, or given in place of a
//! handler's failure (C38, C39).
//!
//! A refresh replaces exactly the entry that it saw. If the entry is invalidated meanwhile, the refresh
//! stores nothing. Within a process one refresh of an entry runs at a time.
//!
//! Come here to change when an old answer is given. How an entry is replaced is in `lookup`.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::{Error, error, rt};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::fill::Fill;
use super::handler::{Handler, finish};
use super::misuse::CallerOfKey;
use super::response::respond;
use crate::backends::Version;
use crate::cache_status::Outcome;
use crate::lookup::Claimant;
use crate::policy::CompiledPolicy;
use crate::provider::Cache;
use crate::spans;
use crate::stored::Entry;

/// Whether an entry should be refreshed now. Decided by chance: the probability rises towards the
/// entry's end and with the cost of its handler. `XFetch` with β = 1 (Vattani, Chierichetti and
/// Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015).
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds need no more than 52 bits"
)]
pub(super) fn is_due(entry: &Entry, now: u64) -> bool {
    let chance: f64 = 1.0 - rand::random::<f64>();
    let head_start = entry.metadata.cost.max(1) as f64 * -chance.ln();
    now as f64 + head_start >= entry.metadata.fresh_until() as f64
}

/// The deadline of a handler whose failure an old answer can replace, where `CACHE_COLLAPSE_WAIT_MS` is 0. With a
/// deadline of 0 the old answer would always be given.
const DEADLINE_WITHOUT_COLLAPSE_WAIT: Duration = Duration::from_secs(1);

/// The inputs of a refresh besides the handler and the request.
pub(super) struct Ageing<'a> {
    pub(super) cache: &'a Cache,
    pub(super) policy: &'a Rc<CompiledPolicy>,
    pub(super) claimant: &'a Claimant<'a>,
    pub(super) caller: &'a CallerOfKey,
    pub(super) entry: Arc<Entry>,
    pub(super) version: Version,
}

/// The result for a request that found an expired entry.
pub(super) enum StaleResult {
    /// The old answer is given, with this outcome.
    Serve(Outcome),
    /// The handler's answer, or another request's.
    Answer(Result<ServiceResponse<BoxBody>, Error>),
    /// The entry cannot be used: the request goes on as with a vacant key.
    Unusable,
}

impl Ageing<'_> {
    /// Refreshes the entry in the background, unless a refresh is under way.
    pub(super) fn refresh_in_background<S, B>(&self, handler: Handler<S>, request: &ServiceRequest)
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        if let Some(fill) = self.fill() {
            let request = ServiceRequest::from_request(request.request().clone());
            let refresh = async move { fill.run(handler, request).await.map(drop) };
            rt::spawn(
                self.cache
                    .shared
                    .tasks
                    .track_future(refresh.in_current_span()),
            );
        }
    }

    /// The time since the entry's end of freshness, in milliseconds.
    fn staleness(&self) -> u64 {
        self.cache
            .shared
            .clock
            .milliseconds()
            .saturating_sub(self.entry.metadata.fresh_until())
    }

    /// Decides how an expired entry can still be used.
    pub(super) async fn serve_stale<S, B>(
        &self,
        handler: Handler<S>,
        request: &ServiceRequest,
    ) -> StaleResult
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        let freshness = self.policy.policy.freshness;
        // Old answers apply to status 200 only: an expired 404 is never given.
        if self.entry.metadata.status != StatusCode::OK {
            return StaleResult::Unusable;
        }
        if self.staleness() < freshness.stale_while_revalidate.saturating_mul(1000) {
            self.refresh_in_background(handler, request);
            let ttl = i64::try_from(self.staleness() / 1000).unwrap_or(i64::MAX);
            return StaleResult::Serve(Outcome::Hit { ttl: -ttl });
        }
        if self.staleness() >= freshness.stale_if_error.saturating_mul(1000) {
            return StaleResult::Unusable;
        }
        let Some(fill) = self.fill() else {
            let limit = self.handler_deadline();
            let join = self.claimant.join_refresh(&self.entry, limit);
            let span = spans::look_up(self.claimant.lookup.key.name());
            return match join.instrument(span).await {
                Some(entry) => {
                    let response = respond(
                        request.request(),
                        &entry,
                        self.cache.shared.clock.milliseconds(),
                    );
                    let response = ServiceResponse::new(request.request().clone(), response);
                    StaleResult::Answer(Ok(finish(
                        &self.cache.shared,
                        self.policy,
                        response,
                        Outcome::Collapsed,
                        Some(self.claimant.lookup.key),
                    )))
                }
                None => self.old_answer().await,
            };
        };
        let fresh_request = ServiceRequest::from_request(request.request().clone());
        // The handler runs in a task of its own: past its deadline it continues, and its answer is stored.
        let run = async move { fill.run(handler, fresh_request).await };
        let run = rt::spawn(self.cache.shared.tasks.track_future(run.in_current_span()));
        match timeout(self.handler_deadline(), run).await {
            Ok(Ok(Ok(response))) if !response.status().is_server_error() => {
                StaleResult::Answer(Ok(response))
            }
            Ok(Ok(failed)) => match self.old_answer().await {
                StaleResult::Serve(outcome) => StaleResult::Serve(outcome),
                _ => StaleResult::Answer(failed),
            },
            Ok(Err(_)) => match self.old_answer().await {
                StaleResult::Serve(outcome) => StaleResult::Serve(outcome),
                _ => StaleResult::Answer(Err(error::ErrorInternalServerError(
                    "the handler did not finish",
                ))),
            },
            Err(_) => self.old_answer().await,
        }
    }

    /// The time that the handler may take, from the beginning of the refresh, before the old answer is
    /// given. Every request waits for the rest of it at most.
    fn handler_deadline(&self) -> Duration {
        match self.cache.shared.collapse_wait {
            Duration::ZERO => DEADLINE_WITHOUT_COLLAPSE_WAIT,
            wait => wait,
        }
    }

    /// The old answer, unless it was invalidated meanwhile.
    async fn old_answer(&self) -> StaleResult {
        if self.claimant.lookup.still_holds(self.entry.id).await {
            StaleResult::Serve(Outcome::StaleIfError)
        } else {
            StaleResult::Unusable
        }
    }

    fn fill(&self) -> Option<Fill> {
        Some(Fill {
            cache: self.cache.clone(),
            policy: Rc::clone(self.policy),
            key: self.claimant.lookup.key.clone(),
            caller: self.caller.clone(),
            permit: self.claimant.refresh(&self.entry, self.version.clone())?,
        })
    }
}
