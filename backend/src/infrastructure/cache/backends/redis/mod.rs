//! The Redis backend, with and without a near cache in front of it.
//!
//! Come here to add a Redis command: `backend` has the operations, `answers` the server's answers,
//! `connections` the making of connections, `identity` the identity of the server, `permissions` missing
//! permissions, `batched_get` reading, `set` storing, `patterns` deleting by pattern, `near` the near
//! cache.

mod answers;
mod backend;
mod batched_get;
mod connections;
mod counters;
mod identity;
mod near;
mod patterns;
mod permissions;
mod set;

pub use backend::RedisBackend;
pub use near::NearBackend;
