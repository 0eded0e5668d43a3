//! A store in memory that is bounded in bytes: the memory backend and the near cache keep their values
//! in it.
//!
//! Come here to change which values are evicted when the store is full. Nothing here knows entries or
//! servers.

mod shard;
mod store;

pub(super) use store::Store;
