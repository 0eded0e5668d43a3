//! Writes: the handler runs, then its stale keys are deleted, then the answer is sent (C15–C20).
//!
//! Come here when a write leaves a stale entry, or for the meaning of its log lines. Which keys, groups
//! and patterns belong to a write is decided in `policy::write_keys`.

use std::rc::Rc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::{Error, HttpRequest, HttpResponse, error, rt};
use futures_util::future::join;
use tracing::Instrument as _;

use super::handler::{Handler, finish_write};
use crate::cache_status::{Bypass, Outcome};
use crate::delivered::Delivered;
use crate::events::{Cause, EventKind};
use crate::policy::{CompiledPolicy, WritePlan};
use crate::provider::{Cache, Shared, carry_out};
use crate::spans;

/// Runs a write to its end, even if the client has gone.
pub(super) async fn write<S, B>(
    cache: Cache,
    policy: Rc<CompiledPolicy>,
    handler: Handler<S>,
    request: ServiceRequest,
) -> Result<ServiceResponse<BoxBody>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    if !cache.shared.enabled {
        let response = handler.run(request).await?;
        let outcome = Outcome::Bypass(Bypass::Disabled);
        return Ok(finish_write(&cache.shared, response, outcome, None));
    }
    let Some(running) = cache.shared.begin_task() else {
        return Ok(stopping(request));
    };
    // Spawned, since a client that resets its connection drops this future, and nothing may come
    // between the handler's commit and the deletion (C20).
    let task = rt::spawn(
        async move {
            let shared = &cache.shared;
            let began = Instant::now();
            let response = handler.run(request).await?;
            if response.status().as_u16() >= 400 {
                let outcome = Outcome::Method {
                    missing_argument: false,
                };
                return Ok(finish_write(shared, response, outcome, None));
            }
            let mut plan = policy.write(response.request());
            // Without a feed the start is refused, unless the policy was wrapped by hand. The start has logged which changes
            // are not recorded.
            plan.everything |= policy.is_recorded() && !shared.delivers_recorded_changes();
            let span = spans::invalidation();
            let ((), delivered) = join(
                invalidate(shared, &policy, &plan, response.request()),
                deliver_changes(shared, began, response.request()),
            )
            .instrument(span.clone())
            .await;
            // The process does not end before this line.
            drop(running);
            let outcome = Outcome::Method {
                missing_argument: !plan.missing.is_empty(),
            };
            let effect = delivered.effect_with(plan.into_names());
            span.record("cache_effect", &*effect);
            Ok(finish_write(shared, response, outcome, Some(effect)))
        }
        .in_current_span(),
    );
    task.await
        .map_err(|_| error::ErrorInternalServerError("the handler did not finish"))?
}

/// Waits until the changes of the write have been delivered (C54). If the feed does not answer, everything is
/// distrusted.
async fn deliver_changes(shared: &Shared, began: Instant, request: &HttpRequest) -> Delivered {
    let Some(feed) = shared.feed.get() else {
        return Delivered::default();
    };
    if let Ok(delivered) = feed.after_write(began).await {
        // Another instance may have delivered the changes. This one must not answer from a copy from before them.
        for server in shared
            .backends()
            .flat_map(|registered| registered.servers.all())
        {
            server.unguarded.catch_up().await;
        }
        // The feed's own event names no request. This one does, and may contain changes of the same moment by others.
        let names = delivered.event_names();
        shared.record(EventKind::Invalidated, names, Cause::request(request));
        return delivered;
    }
    let everything = WritePlan {
        everything: true,
        ..WritePlan::default()
    };
    carry_out(shared, &everything, Cause::request(request)).await;
    Delivered::of(everything.into_names())
}

/// The refusal of a write after the process has finished its last one. A new write could be cut off between its commit
/// and its deletion.
fn stopping(request: ServiceRequest) -> ServiceResponse<BoxBody> {
    let answer = HttpResponse::ServiceUnavailable()
        .insert_header((header::RETRY_AFTER, "1"))
        .force_close()
        .finish();
    request.into_response(answer)
}

/// Deletes all keys that the write made stale, on every registered backend: the policy that reads a key may name
/// another backend than the policy that writes. A failure of the cache does not change the answer of the write.
async fn invalidate(
    shared: &Shared,
    policy: &CompiledPolicy,
    plan: &WritePlan,
    request: &HttpRequest,
) {
    let route = request.match_pattern().unwrap_or_default();
    let own = shared.backend_or_warn(policy.policy.backend_name);
    log_mistakes(shared, policy, plan, &route);
    for (registered, carried) in carry_out(shared, plan, Cause::request(request)).await {
        let is_own = own.is_some_and(|own| std::ptr::eq(own, registered));
        let kind = carried.kind;
        for pattern in carried.unsupported {
            // A backend that the policy does not name may have no matching keys: it is reported once.
            if is_own || shared.warned.permits(&format!("{route} {kind} pattern")) {
                tracing::error!(
                    route = &*route,
                    pattern,
                    "PatternMatchingNotSupportedError: {kind} cannot delete by pattern; use groups or to_invalidate_extra"
                );
            }
        }
    }
}

/// Logs the mistakes in the declaration of the write.
fn log_mistakes(shared: &Shared, policy: &CompiledPolicy, plan: &WritePlan, route: &str) {
    let (name, declared_at) = (policy.name(), policy.declared_at);
    if plan.has_no_id
        && shared
            .warned
            .permits(&format!("{route} {declared_at} no-id"))
    {
        tracing::warn!(
            route,
            policy = name,
            %declared_at,
            "cache invalidation: the policy infers its resource id and found none, so this write has no key of its own"
        );
    }
    let whole = if plan.everything {
        "the whole namespace"
    } else {
        "the group of the policy"
    };
    for argument in &plan.missing {
        tracing::error!(
            route,
            policy = name,
            %declared_at,
            argument,
            "cache invalidation: the handler did not bind `{argument}`, which a key of this write needs; in its place \
             {whole} was invalidated. Bind it with `CacheArguments::bind` before the handler answers"
        );
    }
    if policy.is_recorded() && !shared.delivers_recorded_changes() {
        tracing::warn!(
            route,
            policy = name,
            %declared_at,
            "no feed delivers all that a write changes: everything is distrusted"
        );
    } else if plan.everything && plan.missing.is_empty() {
        tracing::warn!(
            route,
            policy = name,
            %declared_at,
            "a write invalidates more keys than are deleted one by one: everything is distrusted"
        );
    }
}
