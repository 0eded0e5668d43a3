//! A server that may fail: deadlines, the circuit breaker, recovery, and the deletions kept for a server
//! that is unavailable.
//!
//! Come here to see the behaviour in an outage. The states are described in `guarded_backend`. Nothing
//! here knows requests or policies.

mod counters;
mod deletions;
mod distrust;
mod guarded_backend;
mod health;
mod intervals;
mod namespace_generation;
mod pending_deletions;
mod recovery;
mod roll_call;
mod shortfall;
mod supervisor;
mod trust;

pub use health::Unavailable;

pub(in crate::infrastructure::cache) use deletions::{
    DeletionError, invalidate, invalidate_pattern,
};
pub(in crate::infrastructure::cache) use distrust::{clear, distrust_everything};
pub(in crate::infrastructure::cache) use guarded_backend::GuardedBackend;
pub(in crate::infrastructure::cache) use health::Availability;
pub(in crate::infrastructure::cache) use supervisor::Supervisor;
