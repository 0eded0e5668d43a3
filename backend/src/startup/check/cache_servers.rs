//! The part of `backend check` that asks the cache servers: whether they answer, and permit what the cache needs.
//!
//! Come here when the cache needs another operation of its backends. The other checks are in `check`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::{Finding, State};
use crate::infrastructure::cache::backends::{self, BackendError, CacheBackend, Version};
use crate::infrastructure::cache::{BackendKind, CacheOptions};

/// The lifetime of the keys of the check, in case it is interrupted.
const KEPT: Duration = Duration::from_secs(10);

/// A finding for each cache server that the settings name.
pub(super) async fn check(options: &CacheOptions) -> Vec<Finding> {
    if !options.enabled {
        let off = "CACHE_ENABLED is false";
        return vec![Finding::new(State::Skipped, "cache", off)];
    }
    let mut kinds = vec![options.backend];
    for (_, kind) in &options.extra_backends {
        if !kinds.contains(kind) {
            kinds.push(*kind);
        }
    }
    let mut findings = Vec::new();
    for kind in kinds {
        match backends::from_options(options, kind) {
            Ok(nodes) => {
                for (shown, backend) in nodes.to_check() {
                    findings.push(check_server(options, kind, &shown, backend).await);
                }
            }
            Err(error) => {
                let advice = advise(kind, &error);
                findings.push(Finding::new(State::Failed, "cache", advice));
            }
        }
    }
    findings
}

/// Checks one server. `shown` is its name for people.
async fn check_server(
    options: &CacheOptions,
    kind: BackendKind,
    shown: &str,
    backend: &Arc<dyn CacheBackend>,
) -> Finding {
    if let Err(misfit) = backend.check_kind().await {
        return Finding::new(State::Failed, "cache", format!("{shown}: {misfit}"));
    }
    // Enough for a connection and a few operations.
    let limit = options
        .redis
        .connect_timeout
        .max(options.memcached.connect_timeout)
        + 10 * options.operation_timeout;
    let used = async {
        let namespace = match options.namespace.as_str() {
            "" => String::new(),
            named => format!("{named}:"),
        };
        let refused = backend.refused_permissions(&namespace).await?;
        // What else is refused follows from that.
        if refused.iter().all(|rule| is_of_the_near_cache(rule)) {
            use_backend(backend, &namespace).await?;
        }
        Ok(refused)
    };
    let answered: Result<_, BackendError> = match timeout(limit, used).await {
        Ok(answered) => answered,
        Err(_) => Err(BackendError::Unavailable(format!(
            "no answer within {} s",
            limit.as_secs()
        ))),
    };
    match answered {
        Ok(refused) if !refused.is_empty() => {
            let rules = refused.join(" ");
            if refused.iter().all(|rule| is_of_the_near_cache(rule)) {
                let missing = format!("{shown}: the near cache is off");
                let text = format!("{missing}; its user needs: ACL SETUSER … {rules}");
                return Finding::new(State::Warning, "cache", text);
            }
            let missing = format!("{shown}: the user lacks permissions");
            let text = format!("{missing}; grant them: ACL SETUSER … {rules}");
            Finding::new(State::Failed, "cache", text)
        }
        Ok(_) => match backend.shortfall() {
            Some(shortfall) => {
                Finding::new(State::Warning, "cache", format!("{shown}: {shortfall}"))
            }
            None if kind == BackendKind::Memory => {
                let right = "memory: entries of this process alone, for one instance";
                Finding::new(State::Right, "cache", right)
            }
            None => {
                let right = format!("{shown} answers, and permits what the cache needs");
                Finding::new(State::Right, "cache", right)
            }
        },
        Err(error) => Finding::new(State::Failed, "cache", advise(kind, &error)),
    }
}

/// Without this permission the cache works, but asks the server for every hit.
fn is_of_the_near_cache(rule: &str) -> bool {
    rule.starts_with("+client")
}

/// Runs every operation that the cache needs, on keys of the check's own.
async fn use_backend(backend: &Arc<dyn CacheBackend>, namespace: &str) -> Result<(), BackendError> {
    let name = |part: &str| format!("{namespace}~check_{:016x}_{part}", rand::random::<u64>());
    let (value, counter) = (name("value"), name("counter"));
    backend.server_identity().await?;
    let stored = Bytes::from_static(b"check");
    backend.set(&value, stored.clone(), KEPT).await?;
    backend.get(&value).await?;
    let absent = name("absent");
    backend
        .compare_and_set(&absent, &Version::Absent, stored.clone(), KEPT)
        .await?;
    backend.get_or_create(&absent, stored, KEPT).await?;
    backend.increment(&counter, KEPT).await?;
    backend.decrement(&counter).await?;
    backend.delete(&[value, counter, absent]).await
}

/// The error of a cache server, with what to do. The service answers without its cache, but slower.
fn advise(kind: BackendKind, error: &BackendError) -> String {
    let (name, variables) = match kind {
        BackendKind::Redis => ("redis", "CACHE_REDIS_*"),
        BackendKind::Memcached => ("memcached", "CACHE_MEMCACHED_*"),
        BackendKind::Memory => ("memory", "CACHE_MEMORY_MAX_BYTES"),
    };
    let error = error.to_string();
    let cure = if error.to_uppercase().contains("NOPERM") {
        "grant the command, or the keys of CACHE_NAMESPACE, with ACL SETUSER".to_owned()
    } else {
        format!("is it running, and are {variables} right?")
    };
    format!("{name}: {error}; {cure}")
}
