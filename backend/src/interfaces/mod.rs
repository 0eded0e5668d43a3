//! How the world reaches the application: where the API is mounted, and health.

mod health;

use actix_web::web::{self, ServiceConfig};

use crate::modules;

pub use health::Draining;

/// Mounts everything that answers.
pub fn configure(app: &mut ServiceConfig) {
    // A path is compared with one after the other: what is asked most stands first.
    app.service(web::scope("/api/v1").configure(modules::configure));
    health::configure(app);
}
