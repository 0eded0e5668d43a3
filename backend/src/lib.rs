//! The service: users and widgets on PostgreSQL behind a response cache on Redis or Memcached.
//!
//! Read [`startup`] for the construction of the parts, [`modules`] for the features, and
//! [`infrastructure::cache`] for the cache.

#[cfg(doctest)]
mod documentation;
pub mod infrastructure;
pub mod interfaces;
pub mod modules;
pub mod startup;

#[cfg(test)]
#[path = "../tests/support/watchdog.rs"]
mod watchdog;
