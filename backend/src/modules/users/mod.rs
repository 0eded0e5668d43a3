//! Users: who they are, and what they may change about themselves.

mod cache;
mod crud;
mod models;
mod routes;
mod schemas;
mod service;

use actix_web::web::{self, ServiceConfig};

use crate::infrastructure::auth::RequireCaller;
use crate::infrastructure::http::{allow, get};

pub use crud::find_account_to_sign_in;
pub use schemas::UserCreate;
pub use service::create_superuser;

/// Mounts `/users`.
pub fn configure(api: &mut ServiceConfig) {
    api.service(
        web::resource("/users")
            .route(get().to(routes::list).wrap(RequireCaller))
            .route(web::post().to(routes::create).wrap(cache::PROFILE))
            .default_service(allow("GET, HEAD, POST")),
    )
    .service(
        web::resource("/users/me")
            .route(
                get()
                    .to(routes::read_me)
                    .wrap(cache::ME)
                    .wrap(RequireCaller),
            )
            .default_service(allow("GET, HEAD")),
    )
    .service(
        web::resource("/users/{username}")
            .route(get().to(routes::read).wrap(cache::PROFILE))
            .route(
                web::patch()
                    .to(routes::update)
                    .wrap(RequireCaller)
                    .wrap(cache::UPDATE),
            )
            .route(
                web::delete()
                    .to(routes::delete)
                    .wrap(RequireCaller)
                    .wrap(cache::DELETE),
            )
            .default_service(allow("GET, HEAD, PATCH, DELETE")),
    );
}
