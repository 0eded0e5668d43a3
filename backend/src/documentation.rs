//! The Rust examples of the pages, compiled by `cargo test --doc`.
//!
//! Come here when a new page has Rust in it: name the page below. The files of the example module in
//! `docs/modules.md` need each other, so `./scripts/test docs` builds them as one module instead.

#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../../docs/caching.md")]
struct Caching;
