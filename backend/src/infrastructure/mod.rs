//! What the application uses and what knows none of its features: settings, database, cache,
//! authentication, telemetry and the shape of HTTP answers.

pub mod auth;
pub mod cache;
pub mod database;
pub mod http;
pub mod password_rule;
pub mod settings;
pub mod telemetry;
