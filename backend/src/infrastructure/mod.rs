//! What the application uses and what knows none of its features: settings, database, cache,
//! authentication, telemetry, the shape of HTTP answers and the declaration of resources.

pub mod auth;
pub mod cache;
pub mod database;
pub mod http;
pub mod password_rule;
pub mod resource;
pub mod settings;
pub mod telemetry;
