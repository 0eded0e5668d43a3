//! The folder above the cache, whose name the paths in its files begin with.
//!
//! Nothing else belongs here.

#[path = "../../../src/infrastructure/cache/mod.rs"]
pub mod cache;
