//! What the application is: one folder a feature. This is the one place where modules are listed.

pub mod auth;
pub mod users;
pub mod widgets;
