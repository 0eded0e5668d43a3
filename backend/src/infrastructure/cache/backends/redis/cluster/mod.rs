//! Redis Cluster: entries on several masters, each of which owns some slots (C60).
//!
//! Come here when entries of a Cluster are stale, or are not used.
//!
//! | part | content |
//! |---|---|
//! | `slots` | the division of the slots into fixed groups |
//! | `group` | the backend of one group |
//! | `masters`, `master` | the connections to all masters, and the commands of one of them |
//! | `ask`, `map` | the question to one node who owns which slot, and its answer |
//! | `seen` | the owners that are believed |
//! | `deletion` | deletions, which follow redirections |
//!
//! # The topology
//!
//! Each group is, for the breaker, a server of several: it has its own record, generation, and pending deletions, and is trusted or
//! not by itself. Which group a key is in never changes. Which masters own its slots does, so the identity of a group is made of
//! its owners, their slots, the number of the election or migration that made them owners, and the marks of their processes.
//!
//! # The rule
//!
//! 1. An instance believes the owners of a group that a majority of `CACHE_REDIS_NODES` names, for `LEASE` after the beginning of
//!    that question. It reads entries of a group only `SETTLE` after it first heard of its owners.
//! 2. A group with other owners is another server: a new generation and a roll call precede the first hit.
//! 3. Only a deletion follows redirections. Everything else that is redirected is neither a hit nor stored.
//! 4. A deletion has succeeded when a node that owns the slot by its own word has carried it out, this instance believed the owners
//!    at its end, and no owner was *replaced* (by a promoted replica) within `SETTLE` or meanwhile.
//!
//! # Why nothing is stale
//!
//! Take an entry of key K that was stored before a write, and an instance I that reads it after the writer J was answered. By rules 1
//! and 2, I believes the owners under which the entry was stored; call them V. Owners never come back with the same numbers: a node
//! takes slots only with a number above those of all others. Two majorities share a node, which never returns to
//! an earlier owner. So J heard of V too, or will, or heard of later owners at most `LEASE` before I stops believing V (as in `sentinel`).
//!
//! - *J believed V, and the master X that V names.* X carried the deletion out, and I reads from X: the entry is gone. If X had been replaced
//!   before that, some instance would read from its successor only after J stopped believing V, and in a new generation.
//! - *J heard of later owners after a migration.* X is alive. If it still owns the slot, J deletes there. If the slot has moved or is moving,
//!   X redirects both: J deletes at the other node, and I gets no entry (rule 3). Should the migration be undone, the key comes back without
//!   its entry.
//! - *J heard of a replica that was promoted.* Its deletion fails for `SETTLE`, so it is pending, and the writer is answered when nobody
//!   believes V any more (`CacheBackend::settles_at`). The generation under V has ended then for everybody.
//!
//! A master that was frozen and goes on, or is cut off with an instance, answers from its own old map. Rule 1 ends the trust in it. A
//! master that restarts within its term has another process: each connection is checked for the marks that are known (`identity`), and
//! a lost process changes the term of every group that it serves.
//!
//! # No promise
//!
//! All instances have the same list of nodes, or lists whose majorities share one. A node that loses its `nodes.conf` is a new one.
//! A deletion by pattern misses a key that moves behind it in a migration that is undone later.

mod ask;
mod deletion;
mod group;
mod map;
mod master;
mod masters;
mod seen;
mod slots;

use std::sync::Arc;

use masters::Masters;
use slots::{GROUPS, slots_of};

pub(in crate::backends) use group::SlotGroup;
pub(in crate::backends) use slots::group_of;
pub(super) use slots::slot_of;

use crate::backends::contract::BackendError;
use crate::options::{CacheOptions, ServerAddress};

/// The groups of slots of the Cluster of these nodes, in their order, each with its name. Starts a task, which needs a Tokio
/// runtime.
///
/// # Errors
/// The options form no address.
pub(in crate::backends) fn groups(
    options: &CacheOptions,
    nodes: &[ServerAddress],
) -> Result<Vec<(String, SlotGroup)>, BackendError> {
    let masters = Arc::new(Masters::new(options, nodes)?);
    let groups = (0..GROUPS).map(|group| {
        let slots = slots_of(group);
        let name = format!("slots {}-{}", slots.start(), slots.end());
        (name, SlotGroup::new(Arc::clone(&masters), group))
    });
    Ok(groups.collect())
}
