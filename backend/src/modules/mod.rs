//! What the application is: one folder a feature.
//!
//! A module declares its resources in `mod.rs` and is listed in [`configure`]; see the README for how to add
//! one. Modules know the infrastructure below them, and of each other no more than what a `mod.rs`
//! makes public.

use crate::infrastructure::resource::Resources;

pub mod auth;
pub mod users;
pub mod widgets;

/// Declares the resources of every module: the one place where modules are listed.
pub fn configure(api: &mut Resources) {
    // A path is compared with one after the other: what is asked most stands first.
    widgets::configure(api);
    users::configure(api);
    auth::configure(api);
}
