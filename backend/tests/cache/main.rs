//! The cache contract, clause by clause, on every backend.
//!
//! Each test builds small applications of its own around the public surface of the cache; a test
//! named after a clause fails when the clause is broken.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod backends;
mod caller_inside;
mod claims;
mod conditional;
mod deadline;
mod freshness;
mod harness;
mod illness;
mod keys;
mod lookups;
mod memcached;
mod near;
mod patterns;
mod position;
mod provider;
mod queries;
mod races;
mod reading;
mod row;
mod writing;

#[path = "../support/mod.rs"]
mod support;
