//! The folder above the cache, whose name the paths in its files begin with.
//!
//! Nothing else belongs here.
//!
//! Come here when the folder of the cache moves.

#[path = "../../../src/infrastructure/cache/mod.rs"]
pub mod cache;
