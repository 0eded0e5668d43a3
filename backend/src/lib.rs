//! The service: its features on PostgreSQL, behind a response cache on Redis or Memcached.
//!
//! Come here only to add a top-level module: the code is in [`startup`] (the construction of the parts),
//! [`interfaces`], [`modules`] (the features) and [`infrastructure`], whose largest part is [`infrastructure::cache`].

#[cfg(doctest)]
mod documentation;
pub mod interfaces;
pub mod modules;
pub mod startup;

// A crate of its own, in the folder of that name: a change of a module does not compile it again.
pub use service_infrastructure as infrastructure;

/// The name of the program: that of its package, which `scripts/new` changes.
pub const PROGRAM: &str = env!("CARGO_PKG_NAME");

#[cfg(test)]
#[path = "../tests/support/watchdog.rs"]
mod watchdog;
