//! Managed servers (C59): TLS, users, sockets. Each test starts its own servers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail at any line"
)]

#[path = "../cache/collected_log.rs"]
mod collected_log;
#[path = "../cache/harness.rs"]
#[allow(dead_code, reason = "this suite uses a part")]
mod harness;
#[path = "../cache/routed.rs"]
#[allow(dead_code, reason = "this suite uses a part")]
mod routed;
#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod database;
mod permissions;
mod tls;
