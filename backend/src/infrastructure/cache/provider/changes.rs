//! Changes that come from outside: which invalidations belong to one, and their delivery (C53, C54).
//!
//! Come here to see how changes become invalidations. Changes come from a feed outside the cache: see `ChangeFeed`. How
//! a plan is carried out is in `invalidate`, not here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cache::Cache;
use super::error::CacheError;
use super::invalidate::carry_out;
use crate::breaker::Unavailable;
use crate::change_feed::ChangeFeed;
use crate::delivered::Delivered;
use crate::events::{Cause, EventSource};
use crate::policy::{Changes, CompiledPolicy, WritePlan};

/// One change, as a feed reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The kind that a module declares with [`Changes::of`].
    pub kind: String,
    /// Names with values, both the old and the new ones, so a name may occur more than once. `None` where everything of
    /// the kind has changed.
    pub arguments: Option<Vec<(String, String)>>,
}

/// Delivers changes to the cache. See [`Cache::deliveries`].
#[derive(Debug)]
pub struct Deliveries {
    cache: Cache,
    kinds: HashMap<&'static str, Kind>,
}

#[derive(Debug, Default)]
struct Kind {
    arguments: Vec<&'static str>,
    policies: Vec<CompiledPolicy>,
}

impl Cache {
    /// The delivery of declared changes. A kind that is declared by several modules ends what all of them name.
    #[must_use]
    pub fn deliveries(&self, declared: &[Changes]) -> Deliveries {
        let mut kinds: HashMap<&'static str, Kind> = HashMap::new();
        for changes in declared {
            let kind = kinds.entry(changes.kind).or_default();
            kind.arguments.extend(changes.arguments);
            let ends = changes.ends.iter();
            kind.policies
                .extend(ends.map(|end| CompiledPolicy::of_change(end, changes.arguments)));
        }
        Deliveries {
            cache: self.clone(),
            kinds,
        }
    }

    /// Makes every write and every recovery of a backend wait for the feed. A second call changes nothing.
    pub fn attach_feed(&self, feed: &Arc<dyn ChangeFeed>) {
        for registered in self.shared.backends() {
            registered.servers.attach_feed(feed);
        }
        let _ = self.shared.feed.set(Arc::clone(feed));
    }
}

impl Cache {
    /// From now on each write whose changes the feed delivers invalidates everything: for changes that no trigger records.
    pub fn doubt_recording(&self) {
        let doubt = &self.shared.is_recording_incomplete;
        doubt.store(true, Ordering::Relaxed);
    }
}

impl Deliveries {
    /// Invalidates what the changes make stale. When this returns, no instance answers from before. A change of a kind that
    /// is not declared, or that lacks an argument, is an error in the log, and everything is invalidated.
    ///
    /// # Errors
    /// Where the default backend is unavailable: the changes have to be delivered again. Another registered backend that
    /// is unavailable keeps its deletions, as after a write (C35).
    pub async fn deliver(&self, changes: &[Change]) -> Result<Delivered, CacheError> {
        let mut plan = WritePlan::default();
        // One line in the log for each fault of a kind, not for each change.
        let mut reported = HashSet::new();
        for change in changes {
            if let Err(fault) = self.add(change, &mut plan)
                && reported.insert((change.kind.as_str(), fault.clone()))
            {
                tracing::error!(kind = change.kind, "{fault}");
            }
        }
        plan.settle();
        self.carry_out(&plan).await?;
        Ok(Delivered::of(plan.into_names()))
    }

    /// Invalidates everything. When this returns, no instance answers from before.
    ///
    /// # Errors
    /// As [`deliver`](Self::deliver).
    pub async fn deliver_everything(&self) -> Result<Delivered, CacheError> {
        let plan = WritePlan {
            everything: true,
            ..WritePlan::default()
        };
        self.carry_out(&plan).await?;
        Ok(Delivered::of(plan.into_names()))
    }

    /// Adds the invalidations of a change. The error is a mistake in the module, as a sentence for the log.
    fn add(&self, change: &Change, plan: &mut WritePlan) -> Result<(), String> {
        let Some(arguments) = &change.arguments else {
            plan.everything = true;
            return Ok(());
        };
        let Some(kind) = self.kinds.get(change.kind.as_str()) else {
            plan.everything = true;
            return Err(
                "a change of a kind that no module declares: everything is invalidated. Declare the kind in the module's \
                 cache.rs and list it in modules/mod.rs, or drop the trigger that records it"
                    .to_owned(),
            );
        };
        let known: Vec<(&'static str, &str)> = kind
            .arguments
            .iter()
            .flat_map(|name| {
                let given = arguments.iter().filter(move |(given, _)| given == name);
                given.map(move |(_, value)| (*name, value.as_str()))
            })
            .collect();
        for policy in &kind.policies {
            policy.add_write_with(&known, plan);
        }
        if plan.missing.is_empty() {
            return Ok(());
        }
        let missing = std::mem::take(&mut plan.missing).join(", ");
        Err(format!(
            "a change lacks an argument that its invalidations need ({missing}): more than necessary is invalidated. Its \
             column is NULL, or the trigger and the module's declaration do not agree"
        ))
    }

    async fn carry_out(&self, plan: &WritePlan) -> Result<(), CacheError> {
        let shared = &self.cache.shared;
        let default = shared.backend(None);
        let cause = Cause::without_request(EventSource::Feed);
        for (registered, carried) in carry_out(shared, plan, cause).await {
            let is_default = default.is_some_and(|default| std::ptr::eq(default, registered));
            if !is_default {
                continue;
            }
            // What a server lacks that nobody trusts is pending in this process; if the process ends, C58 covers it.
            if let Some(pending) = carried.pending
                && !pending.is_known_to_all
            {
                return Err(pending.reason.into());
            }
            // The pending generation is known to this process alone, so the feed must deliver the change again.
            if registered.servers.lack_deletions() {
                return Err(Unavailable("the breaker is open".to_owned()).into());
            }
            for pattern in carried.unsupported {
                tracing::error!(
                    pattern,
                    "PatternMatchingNotSupportedError: {} cannot delete by pattern; use groups or to_invalidate_extra",
                    carried.kind
                );
            }
        }
        Ok(())
    }
}
