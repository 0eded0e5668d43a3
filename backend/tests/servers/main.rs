//! Managed servers and topologies (C59, C60): TLS, users, sockets, Sentinel. Each test starts its own servers.
//!
//! With `SOAK` set the long forms of the tests run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail at any line"
)]

#[path = "../cache/harness.rs"]
#[allow(dead_code, reason = "this suite uses a part")]
mod harness;
#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod database;
mod permissions;
mod tls;
