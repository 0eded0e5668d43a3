//! The service: its features on PostgreSQL, behind a response cache on Redis or Memcached.
//!
//! Come here only to add a top-level module: the code is in [`startup`] (the construction of the parts),
//! [`interfaces`], [`modules`] (the features) and [`infrastructure`], whose largest part is [`infrastructure::cache`].

#[cfg(doctest)]
mod documentation;
pub mod infrastructure;
pub mod interfaces;
pub mod modules;
pub mod startup;

#[cfg(test)]
#[path = "../tests/support/watchdog.rs"]
mod watchdog;
