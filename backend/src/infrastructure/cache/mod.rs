//! The response cache.

mod arguments;
pub mod backends;
mod middleware;
mod policy;
mod provider;
mod query;
mod template;

pub use arguments::{CacheArguments, bind_argument};
pub use middleware::CacheOutcome;
pub use policy::{CachePolicy, ResourceIdType};
pub use provider::{Cache, CacheHealth};
