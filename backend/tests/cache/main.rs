//! The cache contract, clause by clause, on every backend.
//!
//! The folders are those of the cache; `collected_log`, `harness`, `routed`, `row`, `server_access`, `source` and `topologies` are helpers. Each test builds small
//! applications of its own around the public surface of the cache; a test named after a clause fails when
//! the clause is broken.
//!
//! Come here for a rule of the cache. What a client of the whole service sees is in `tests/api`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod backends;
mod breaker;
mod collected_log;
mod deadline;
mod declarations;
mod harness;
mod keys;
mod lookup;
mod map;
mod middleware;
mod policy;
mod provider;
mod routed;
mod row;
mod server_access;
mod source;
mod stored;
mod topologies;

#[path = "../support/mod.rs"]
mod support;
