//! Signing in and out.

mod routes;
mod schemas;

use actix_web::web::{self, ServiceConfig};

use crate::infrastructure::http::allow;

/// Mounts `/auth`.
pub fn configure(api: &mut ServiceConfig) {
    api.service(
        web::resource("/auth/login")
            .route(web::post().to(routes::login))
            .default_service(allow("POST")),
    )
    .service(
        web::resource("/auth/logout")
            .route(web::post().to(routes::logout))
            .default_service(allow("POST")),
    )
    .service(
        web::resource("/auth/logout-all")
            .route(web::post().to(routes::logout_all))
            .default_service(allow("POST")),
    );
}
