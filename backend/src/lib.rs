//! The service: users and widgets on PostgreSQL behind a response cache on Redis or Memcached.
//!
//! Read [`startup`] for how the parts are put together, [`modules`] for what the application is,
//! and [`infrastructure::cache`] for the cache.

#[cfg(doctest)]
mod documentation;
pub mod infrastructure;
pub mod interfaces;
pub mod modules;
pub mod startup;
