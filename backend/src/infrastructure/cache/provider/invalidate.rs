//! Invalidations: carrying out the plan of a write on every registered backend.
//!
//! Come here to change how a plan is carried out. Its keys are decided in `policy::write_keys`, and its
//! log lines in `middleware::write`.

use futures_util::future::join_all;
use tracing::Instrument as _;

use super::cache::Cache;
use super::error::CacheError;
use super::registry::{RegisteredBackend, Shared};
use crate::breaker::{DeletionError, Pending, Servers};
use crate::events::{Cause, EventKind, EventNames, EventSource};
use crate::keys::{group_key, resource_key};
use crate::policy::{CompiledPolicy, Invalidation, WritePlan};
use crate::spans;

/// The result of a plan on one backend.
#[derive(Debug, Default)]
pub(crate) struct Carried<'a> {
    /// The reason that deletions are pending, if they are.
    pub(crate) pending: Option<Pending>,
    /// The patterns that the backend does not support.
    pub(crate) unsupported: Vec<&'a str>,
    /// The kind of the backend.
    pub(crate) kind: &'static str,
}

impl Cache {
    /// Carries out the invalidation of a write without a request, such as a job's or another service's
    /// (C51). The arguments are those that the request and its handler would have given; a name may
    /// occur more than once. When this returns, no instance answers with an earlier entry.
    ///
    /// ```no_run
    /// # use response_cache::{Cache, CacheError, CachePolicy};
    /// # async fn example(cache: &Cache) -> Result<(), CacheError> {
    /// const WIDGET: CachePolicy = CachePolicy::new("widget").resource_id_name("widget_id").shared();
    ///
    /// cache.invalidate(WIDGET.to_invalidate_groups(&["user_{owner}_widgets"]), &[("widget_id", "42"), ("owner", "ada")]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CacheError::MissingArgument`] where an argument is missing: the smallest known set that
    /// contains the key was invalidated instead (C48). [`CacheError::Unavailable`] where a deletion is
    /// pending, [`CacheError::PatternMatchingNotSupported`] where the policy has patterns and the
    /// backend does not support them. The rest of the policy was invalidated in every case.
    pub async fn invalidate(
        &self,
        policy: impl Into<Invalidation>,
        arguments: &[(&'static str, &str)],
    ) -> Result<(), CacheError> {
        if !self.shared.enabled {
            return Ok(());
        }
        let policy = CompiledPolicy::new(&policy.into());
        let plan = policy.write_with(arguments);
        let own = self.shared.backend(policy.policy.backend_name);
        let cause = Cause::without_request(EventSource::Service);
        let carrying = carry_out(&self.shared, &plan, cause);
        for (backend, carried) in carrying.instrument(spans::invalidation()).await {
            if let Some(pending) = carried.pending {
                return Err(pending.reason.into());
            }
            let is_own = own.is_some_and(|own| std::ptr::eq(own, backend));
            if is_own && !carried.unsupported.is_empty() {
                return Err(CacheError::PatternMatchingNotSupported(carried.kind));
            }
        }
        if plan.missing.is_empty() && !plan.has_no_id {
            return Ok(());
        }
        let missing = plan.missing.join(", ");
        Err(CacheError::MissingArgument(if missing.is_empty() {
            "an id".to_owned()
        } else {
            missing
        }))
    }
}

/// Carries a plan out on every registered backend: the policy that reads a key may name another backend
/// than the policy that writes. The cause is that of the event.
pub(crate) async fn carry_out<'a>(
    shared: &'a Shared,
    plan: &'a WritePlan,
    cause: Cause,
) -> Vec<(&'a RegisteredBackend, Carried<'a>)> {
    let carried = join_all(shared.backends().map(|registered| async move {
        let carried = carry_out_on(&registered.servers, plan).await;
        (registered, carried)
    }))
    .await;
    let lists = [&plan.keys, &plan.resources, &plan.groups, &plan.patterns];
    let names = EventNames::of(lists.map(Vec::as_slice), plan.everything);
    shared.record(EventKind::Invalidated, names, cause);
    carried
}

async fn carry_out_on<'a>(servers: &Servers, plan: &'a WritePlan) -> Carried<'a> {
    let mut carried = Carried::default();
    if plan.everything {
        servers.distrust_everything().await;
        return carried;
    }
    // Unavailable keys are kept for later.
    carried.pending = servers.invalidate(full_keys(servers, plan)).await.err();
    for pattern in &plan.patterns {
        match servers.invalidate_pattern(pattern).await {
            Ok(()) => {}
            Err(DeletionError::PatternMatchingNotSupported(kind)) => {
                carried.unsupported.push(pattern);
                carried.kind = kind;
            }
            Err(DeletionError::Unavailable(reason)) => {
                carried.pending = Some(Pending {
                    reason,
                    is_known_to_all: false,
                });
            }
        }
    }
    carried
}

fn full_keys(servers: &Servers, plan: &WritePlan) -> Vec<String> {
    let groups = plan.groups.iter().map(|group| group_key(group));
    let resources = plan.resources.iter().map(|resource| resource_key(resource));
    let records = groups.chain(resources);
    let full = |name: &str| servers.key(name).into_full();
    plan.keys
        .iter()
        .map(|key| full(key))
        .chain(records.map(|record| full(&record)))
        .collect()
}
