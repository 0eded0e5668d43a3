//! Writes: the handler runs, then what it made stale is deleted, then the answer is sent (C15–C20).
//!
//! Come here when a write leaves something stale, or to see what its log lines mean. Which keys, groups and patterns belong to
//! a write is decided in `policy::write_keys`.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::{Error, HttpRequest, HttpResponse, error, rt};
use futures_util::future::join_all;
use tracing::Instrument as _;

use super::handler::{Handler, finish_write};
use crate::infrastructure::cache::breaker::{DeletionError, GuardedBackend, distrust_everything};
use crate::infrastructure::cache::cache_status::{Bypass, Outcome, invalidated};
use crate::infrastructure::cache::keys::{group_key, resource_key};
use crate::infrastructure::cache::policy::{CompiledPolicy, WritePlan};
use crate::infrastructure::cache::provider::{Cache, RegisteredBackend, Shared};

/// Runs a write to its end, whether or not the client is still there.
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
            let response = handler.run(request).await?;
            if response.status().as_u16() >= 400 {
                let outcome = Outcome::Method {
                    missing_argument: false,
                };
                return Ok(finish_write(shared, response, outcome, None));
            }
            let plan = policy.write(response.request());
            invalidate(shared, &policy, &plan, response.request()).await;
            // Until here the process does not end.
            drop(running);
            let outcome = Outcome::Method {
                missing_argument: !plan.missing.is_empty(),
            };
            let effect = invalidated(
                [
                    ("keys", &plan.keys),
                    ("groups", &plan.groups),
                    ("patterns", &plan.patterns),
                ],
                plan.everything,
            );
            Ok(finish_write(shared, response, outcome, Some(effect)))
        }
        .in_current_span(),
    );
    task.await
        .map_err(|_| error::ErrorInternalServerError("the handler did not finish"))?
}

/// The process has ended its last write: a new one could be cut off between its commit and its deletion.
fn stopping(request: ServiceRequest) -> ServiceResponse<BoxBody> {
    let answer = HttpResponse::ServiceUnavailable()
        .insert_header((header::RETRY_AFTER, "1"))
        .force_close()
        .finish();
    request.into_response(answer)
}

/// Deletes all that the write made stale, on every registered backend: the policy that reads a key may name another backend
/// than the policy that writes. A fault of the cache is not the writer's.
async fn invalidate(
    shared: &Shared,
    policy: &CompiledPolicy,
    plan: &WritePlan,
    request: &HttpRequest,
) {
    let route = request.match_pattern().unwrap_or_default();
    let own = shared.backend_or_warn(policy.policy.backend_name);
    log_mistakes(shared, policy, plan, &route);
    join_all(shared.backends().map(|registered| {
        let is_own = own.is_some_and(|own| Arc::ptr_eq(&own.backend, &registered.backend));
        invalidate_on(shared, registered, plan, is_own, &route)
    }))
    .await;
}

/// Says what is wrong with the declaration of the write.
fn log_mistakes(shared: &Shared, policy: &CompiledPolicy, plan: &WritePlan, route: &str) {
    let prefix = policy.policy.key_prefix();
    if plan.has_no_id && shared.warned.permits(&format!("{route} {prefix} no-id")) {
        tracing::warn!(
            route,
            policy = prefix,
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
            policy = prefix,
            argument,
            "cache invalidation: the handler did not bind `{argument}`, which a key of this write needs; in its place \
             {whole} was invalidated. Bind it with `CacheArguments::bind` before the handler answers"
        );
    }
    if plan.everything && plan.missing.is_empty() {
        tracing::warn!(
            route,
            policy = prefix,
            "a write invalidates more keys than are deleted one by one: everything is distrusted"
        );
    }
}

async fn invalidate_on(
    shared: &Shared,
    registered: &RegisteredBackend,
    plan: &WritePlan,
    is_own: bool,
    route: &str,
) {
    let backend = &registered.backend;
    if plan.everything {
        distrust_everything(backend).await;
        return;
    }
    // Its error is in the log, and the keys are kept for later.
    let _ = backend.invalidate(full_keys(backend, plan)).await;
    for pattern in &plan.patterns {
        let deleted = Arc::clone(backend)
            .invalidate_pattern(backend.full_pattern(pattern))
            .await;
        // A backend that the policy does not name may hold nothing that matches: it is reported once.
        if let Err(DeletionError::PatternMatchingNotSupported(name)) = deleted
            && (is_own || shared.warned.permits(&format!("{route} {name} pattern")))
        {
            tracing::error!(
                route,
                pattern,
                "PatternMatchingNotSupportedError: {name} cannot delete by pattern; use groups or to_invalidate_extra"
            );
        }
    }
}

fn full_keys(backend: &GuardedBackend, plan: &WritePlan) -> Vec<String> {
    let groups = plan.groups.iter().map(|group| group_key(group));
    let resources = plan.resources.iter().map(|resource| resource_key(resource));
    let records = groups.chain(resources);
    let full = |name: &str| backend.key(name).into_full();
    plan.keys
        .iter()
        .map(|key| full(key))
        .chain(records.map(|record| full(&record)))
        .collect()
}
