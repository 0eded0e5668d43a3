//! From the plan of a read to its look-up.
//!
//! Come here to see which options of the process and of the policy a look-up has. The protocol is in `lookup`, not
//! here.

use std::time::Duration;

use crate::lookup::{Claimant, Decider, Lookup};
use crate::policy::{CompiledPolicy, ReadPlan};
use crate::provider::{RegisteredBackend, Shared};

/// The look-up of a plan.
pub(super) fn lookup<'a>(
    shared: &'a Shared,
    policy: &'a CompiledPolicy,
    registered: &'a RegisteredBackend,
    plan: &'a ReadPlan,
) -> Lookup<'a> {
    Lookup {
        places: registered.servers.places(&plan.key, &plan.memberships),
        clock: &shared.clock,
        near: policy.policy.near,
        key: &plan.key,
        memberships: &plan.memberships,
    }
}

/// The read of a plan, which may claim the key.
pub(super) fn decider<'a>(
    shared: &'a Shared,
    policy: &'a CompiledPolicy,
    registered: &'a RegisteredBackend,
    plan: &'a ReadPlan,
) -> Decider<'a> {
    Decider {
        claimant: Claimant {
            lookup: lookup(shared, policy, registered, plan),
            single_flights: &registered.single_flights,
            longest_lifetime: longest_lifetime(shared, policy),
        },
        collapse_wait: shared.collapse_wait,
        found_nothing: &policy.found_nothing,
    }
}

/// The longest time that the server may keep an entry of the policy.
fn longest_lifetime(shared: &Shared, policy: &CompiledPolicy) -> Duration {
    let freshness = &policy.policy.freshness;
    let fresh = policy
        .policy
        .expiration
        .unwrap_or(shared.default_expiration);
    let stale = freshness
        .stale_while_revalidate
        .max(freshness.stale_if_error);
    Duration::from_secs(fresh.max(freshness.negative).saturating_add(stale))
}
