//! The Rust examples of the pages, compiled by `cargo test --doc`.
//!
//! Come here when a new page has Rust in it: name the page below. The files of the example module in `docs/modules.md`
//! belong together, so they are not compiled here but built as a module by `./scripts/test docs`.

#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../../docs/caching.md")]
struct Caching;
