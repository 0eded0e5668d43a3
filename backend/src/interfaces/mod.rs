//! How the world reaches the application: where the API is mounted, and health.

mod health;

use actix_web::web::{self, ServiceConfig};

use crate::modules;

/// Mounts everything that answers.
pub fn configure(app: &mut ServiceConfig) {
    health::configure(app);
    app.service(web::scope("/api/v1").configure(modules::configure));
}
