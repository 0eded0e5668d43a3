//! Traces: what a receiver of OpenTelemetry gets from real processes, and what happens without one.
//!
//! Come here for a test of a span or of the sending. The suite needs a program with the feature `traces`: `./scripts/test traces`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod receiver;
mod sending;
mod spans;
