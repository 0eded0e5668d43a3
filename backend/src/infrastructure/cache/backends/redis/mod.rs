//! The Redis backend, with and without a near cache in front of it.
//!
//! Come here to add or change a Redis command. The operations of the trait are in `backend`, which calls these parts:
//!
//! | part | commands |
//! |---|---|
//! | `batched_get` | reading: `GET` |
//! | `set` | storing: `SET`, `EVALSHA`, `EVAL`, `EXISTS`, and `GET` where a look-up claims |
//! | `backend` | deleting by key: `UNLINK` |
//! | `patterns` | deleting by pattern, and everything: `SCAN`, `SSCAN`, `UNLINK` and the commands of the index |
//! | `counters` | counting: `EVAL` |
//! | `listing` | listing keys: `SCAN`, `GETRANGE` |
//! | `log` | the log of events: `XADD`, `XREVRANGE`, `PEXPIRE` |
//! | `identity`, `greeting` | the identity and the kind of the server, and the probe: `GET`, `SCRIPT`, `EVAL`, `HELLO`, `PING` |
//! | `near` | `CLIENT TRACKING`, for the near cache |
//! | `address`, `location`, `connections`, `topology_connection` | the address with TLS, and the beginning of a connection |
//! | `cluster`, `redirection` | which masters own a slot: `CLUSTER NODES`, `ASKING` |
//! | `sentinel` | which server is the master: `SENTINEL`, asked of the Sentinels |
//! | `topology_round` | one question to all Sentinels or nodes |
//! | `permissions` | every command once, for `backend check`: a new command is added there and in `docs/servers.md` |
//!
//! `answers` turns the server's answers and errors into those of the trait. No key is built here, and no entry is read.
//!
//! A new operation of the trait `CacheBackend` (in `contract`) is also needed in `backends::memory`, in `memcached::backend`,
//! in `redis::near::backend`, in `redis::cluster::group`, in the test backends of `backend/tests/cache/breaker`, and in `backend/tests/cache/routed.rs`. Callers
//! outside `backends` use it through the breaker: `breaker::guarded_backend`, or a file beside it as `breaker::counters` is.

mod address;
mod answers;
mod backend;
mod batched_get;
mod cluster;
mod connections;
mod counters;
mod greeting;
mod identity;
mod listing;
mod location;
mod log;
mod near;
mod patterns;
mod permissions;
mod redirection;
mod sentinel;
mod set;
mod topology_connection;
mod topology_round;

pub use backend::RedisBackend;
pub(super) use cluster::{group_of, groups};
pub use near::NearBackend;
