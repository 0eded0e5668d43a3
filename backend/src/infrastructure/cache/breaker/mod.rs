//! A server that may fail: deadlines, the circuit breaker, recovery, and the deletions kept for a server
//! that is unavailable.
//!
//! Come here to see the behaviour in an outage:
//!
//! - `guarded_backend`: the states and the operations. `observe` puts each under its deadline; `health` counts failures and
//!   opens the breaker.
//! - `deletions`: invalidation while the server may fail. `pending_deletions` keeps what could not be delivered, and
//!   `distrust` replaces what is too much to keep.
//! - `supervisor`: probes in the background; `recovery` and `roll_call`: what happens before the server is trusted again.
//! - `servers`: the servers of one backend, and the way of a key to its server. `places`: those of one look-up.
//!   `server_list`: instances with different lists of servers. `told`: what all instances know of a server that one cannot reach.
//! - `namespace_generation`: the record that all instances share; `trust` and `intervals`: its lease.
//! - `shortfall`: what an available server lacks. `counters`: counting in the cache.
//!
//! Nothing here knows requests or policies.

mod counters;
mod deletions;
mod distrust;
mod guarded_backend;
mod health;
mod inspection;
mod intervals;
mod known_record;
mod namespace_generation;
mod next_record;
mod observe;
mod out_of_step;
mod pending_deletions;
mod places;
mod recovery;
mod roll_call;
mod server_list;
mod servers;
mod shortfall;
mod supervisor;
mod told;
mod trust;

pub use health::Unavailable;

pub(crate) use deletions::{DeletionError, LONGEST_DELETION};
pub(crate) use guarded_backend::GuardedBackend;
pub(crate) use health::Availability;
pub(crate) use places::Places;
pub(crate) use servers::{Pending, Servers};
