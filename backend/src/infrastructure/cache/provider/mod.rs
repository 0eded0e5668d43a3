//! The provider: the cache for services, jobs, scripts and start-up (C22–C24).
//!
//! Come here to add an operation for services. Requests do not pass through here: see `middleware`.

mod cache;
mod changes;
mod computation;
mod error;
mod event_log;
mod gauges;
mod history;
mod inspection;
mod invalidate;
#[expect(
    clippy::module_inception,
    reason = "the folder and its first file are both the provider"
)]
mod provider;
mod purge;
mod registry;
mod show;
mod shutdown;
mod verification;

pub use cache::Cache;
pub use changes::{Change, Deliveries};
pub use computation::Computation;
pub use error::{CacheError, CacheHealth};
pub use history::History;
pub use inspection::{BackendState, Entries, InspectedEntry, ListedEntry, Standing};
pub use provider::Provider;
pub use purge::{Purge, Purged};
pub use show::StoredUnderKey;

pub(crate) use invalidate::carry_out;
pub(crate) use registry::{RegisteredBackend, Shared};
pub(crate) use verification::Comparison;
