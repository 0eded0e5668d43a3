//! What an operator sees: metrics, alert rules, dashboard and logs of real processes.
//!
//! Come here for a test that looks at `/metrics`, at a file of `deploy/prometheus` or `deploy/grafana`, or at a line of the
//! log.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod cache;
mod dashboard;
mod documentation;
mod drills;
mod logs;
mod prometheus;
mod requests;
mod rules;
mod scrape;
