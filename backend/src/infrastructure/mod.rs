//! The infrastructure: settings, database, cache, authentication, telemetry, metrics and traces, the form of HTTP answers,
//! the declaration of resources, the description of the API, the server and the console of the cache.
//!
//! Come here for a part that every feature uses. It is a crate of its own, which knows no feature; the service has it as
//! `crate::infrastructure`.

pub mod auth;
pub mod client_address;
pub mod console;
pub mod database;
pub mod database_feed;
pub mod http;
pub mod metrics;
pub mod openapi;
pub mod password_rule;
pub mod rate;
pub mod rate_limit;
pub mod resource;
pub mod security_log;
pub mod server;
pub mod settings;
pub mod telemetry;
pub mod traces;

// A crate of its own too, in the folder `cache`.
pub use response_cache as cache;

#[cfg(test)]
#[path = "../../tests/support/watchdog.rs"]
mod watchdog;
