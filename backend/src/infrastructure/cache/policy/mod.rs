//! Policies: a module's declarations of how resources are cached, and the keys of one request.
//!
//! Come here when a key is wrong or a read is bypassed. No backend is asked here.

mod compiled;
mod invalidation;
#[expect(
    clippy::module_inception,
    reason = "the folder and its first file are both the policy"
)]
mod policy;
mod read_key;
mod variants;
mod write_keys;

pub use invalidation::{Changes, Invalidation};
pub use policy::CachePolicy;

pub(crate) use compiled::{CompiledPolicy, NotCached, Problem};
pub(crate) use policy::{Audience, ResourceId};
pub(crate) use read_key::ReadPlan;
pub(crate) use write_keys::WritePlan;
