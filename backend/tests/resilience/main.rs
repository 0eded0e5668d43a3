//! Storms, stampedes and outages: clauses that need load and real processes for a test.
//!
//! With `SOAK` set the long forms of the tests run.
//!
//! Come here for a fault that needs a process, a server or a network of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail at any line"
)]

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod breaker;
mod cluster;
mod database;
mod database_drill;
mod drill;
mod drilled_cache;
mod feed;
mod feed_faults;
mod feed_kills;
mod feed_outages;
mod feed_passes;
mod feed_table;
mod figures;
mod groups;
mod history;
mod load;
mod outage;
mod restart;
mod several_servers;
mod some_connections;
mod stampede;
mod storm;
