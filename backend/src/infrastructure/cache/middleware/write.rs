//! Writes: the handler runs, then what it made stale is deleted, then the answer is sent (C15–C20).

use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpRequest, error, rt};
use tracing::Instrument as _;

use super::handler::{Handler, finish};
use crate::infrastructure::cache::breaker::{DeletionError, GuardedBackend, distrust_everything};
use crate::infrastructure::cache::cache_status::{Bypass, Outcome};
use crate::infrastructure::cache::keys::group_key;
use crate::infrastructure::cache::policy::{CompiledPolicy, WritePlan};
use crate::infrastructure::cache::provider::{Cache, Shared};

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
        return Ok(finish(
            &cache.shared,
            response,
            Outcome::Bypass(Bypass::Disabled),
            None,
        ));
    }
    // Spawned, since a client that resets its connection drops this future, and nothing may come
    // between the handler's commit and the deletion (C20).
    let task = rt::spawn(
        async move {
            let response = handler.run(request).await?;
            if response.status().as_u16() < 400 {
                invalidate(&cache.shared, &policy, response.request()).await;
            }
            Ok(finish(&cache.shared, response, Outcome::Method, None))
        }
        .in_current_span(),
    );
    task.await
        .map_err(|_| error::ErrorInternalServerError("the handler did not finish"))?
}

/// Deletes all that the write made stale. A fault of the cache is not the writer's.
async fn invalidate(shared: &Shared, policy: &CompiledPolicy, request: &HttpRequest) {
    let plan = policy.write(request);
    let route = request.match_pattern().unwrap_or_default();
    for problem in &plan.problems {
        tracing::warn!(route, "cache invalidation: {problem}");
    }
    let Some(registered) = shared.backend_or_warn(policy.policy.backend_name) else {
        return;
    };
    let backend = &registered.backend;
    if plan.everything {
        tracing::warn!(
            route,
            "a write invalidates more keys than are deleted one by one: everything is distrusted"
        );
        distrust_everything(backend).await;
        return;
    }
    let keys = full_keys(backend, &plan);
    // Its error is in the log, and the keys are kept for later.
    let _ = backend.invalidate(keys).await;
    for pattern in &plan.patterns {
        let deleted = Arc::clone(backend)
            .invalidate_pattern(backend.full_pattern(pattern))
            .await;
        if let Err(DeletionError::PatternMatchingNotSupported(backend)) = deleted {
            tracing::error!(
                route,
                pattern,
                "PatternMatchingNotSupportedError: {backend} cannot delete by pattern; use groups or to_invalidate_extra"
            );
        }
    }
}

fn full_keys(backend: &GuardedBackend, plan: &WritePlan) -> Vec<String> {
    let groups = plan
        .groups
        .iter()
        .map(|group| backend.full_key(&group_key(group)));
    plan.keys
        .iter()
        .map(|key| backend.full_key(key))
        .chain(groups)
        .collect()
}
