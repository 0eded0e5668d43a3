//! What the application is: one folder a feature.
//!
//! A module has its routes in `mod.rs` and is listed in [`configure`]; see the README for how to add
//! one. Modules know the infrastructure below them, and of each other no more than what a `mod.rs`
//! makes public.

use actix_web::web::ServiceConfig;

pub mod auth;
pub mod users;
pub mod widgets;

/// Mounts every module: the one place where they are listed.
pub fn configure(api: &mut ServiceConfig) {
    auth::configure(api);
    // Before `users`, so that `/users/{username}/widgets` is found.
    widgets::configure(api);
    users::configure(api);
}
