//! The rules of the layout, checked on the sources.
//!
//! Come here to add a rule. A rule must be able to fail: each has an example that breaks it.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod imports;
mod layers;
mod sources;
mod texts;
mod waits;
mod wing;
