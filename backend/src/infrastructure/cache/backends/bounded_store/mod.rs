//! A store in memory that is bounded in bytes: the memory backend and the near cache keep their values in it.
//!
//! Come here to change what is let go of when the store is full. It knows neither entries nor servers.

mod shard;
mod store;

pub(super) use store::Store;
