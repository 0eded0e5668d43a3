//! Settings from the environment and `.env`, one struct a concern, checked at start.

mod cache;

pub use cache::{CacheBackendKind, CacheSettings};
