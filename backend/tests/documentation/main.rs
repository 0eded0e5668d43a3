//! The documentation, held against the project: links, names of settings, clauses, commands, and the released API.
//!
//! Come here when a page of `docs/` or the README has to stay true in a new way. The Rust examples of the pages are
//! compiled by `cargo test --doc` (see `backend/src/documentation.rs`), and the example module of
//! `docs/modules.md` is built by `./scripts/test docs`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod clauses;
mod commands;
mod deployment;
mod example_module;
mod links;
mod pages;
mod released_api;
mod variables;
