//! Widgets: what users make, and everybody may see.

mod cache;
mod crud;
mod models;
mod routes;
mod schemas;
mod service;

use actix_web::web::{self, ServiceConfig};

use crate::infrastructure::auth::RequireCaller;
use crate::infrastructure::http::{allow, get};

pub use crud::delete_all_of;

/// Mounts `/widgets` and `/users/{username}/widgets`.
pub fn configure(api: &mut ServiceConfig) {
    api.service(
        web::resource("/widgets")
            .route(get().to(routes::search).wrap(cache::SEARCH))
            .route(
                web::post()
                    .to(routes::create)
                    .wrap(RequireCaller)
                    .wrap(cache::CREATE),
            )
            .default_service(allow("GET, HEAD, POST")),
    )
    .service(
        web::resource("/widgets/count")
            .route(get().to(routes::count).wrap(cache::COUNT))
            .default_service(allow("GET, HEAD")),
    )
    .service(
        web::resource("/widgets/{widget_id}")
            .route(get().to(routes::read).wrap(cache::WIDGET))
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
    )
    .service(
        web::resource("/users/{username}/widgets")
            .route(get().to(routes::list_of_user).wrap(cache::LIST_OF_USER))
            .default_service(allow("GET, HEAD")),
    );
}
