//! Managed servers (C59), Sentinels and Redis Cluster (C60): TLS, users, sockets, kinds of servers, failovers. Each test starts its own servers.
//!
//! With `SOAK` set the long forms of the storms run. Come here for an address, a login or a
//! failover that a provider demands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail at any line"
)]

#[path = "../resilience/cluster.rs"]
#[allow(dead_code, reason = "this suite uses a part")]
mod cluster;
#[path = "../cache/collected_log.rs"]
#[allow(dead_code, reason = "this suite uses a part")]
mod collected_log;
#[path = "../resilience/figures.rs"]
#[allow(dead_code, reason = "this suite uses a part")]
mod figures;
#[path = "../cache/harness.rs"]
#[allow(dead_code, unused_imports, reason = "this suite uses a part")]
mod harness;
#[path = "../resilience/history.rs"]
#[allow(dead_code, reason = "this suite uses a part")]
mod history;
#[path = "../resilience/load.rs"]
mod load;
#[path = "../cache/routed.rs"]
#[allow(dead_code, reason = "this suite uses a part")]
mod routed;
#[path = "../cache/topologies.rs"]
#[allow(dead_code, reason = "this suite uses a part")]
mod topologies;
#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod database;
mod failover;
mod kinds;
mod permissions;
mod promotion;
mod sentinels;
mod sharded;
mod sharded_operations;
mod sharded_partition;
mod sharded_promotion;
mod sharded_secured;
mod storm;
mod tls;
