//! Routes: what every resource of the API has in common.

use actix_web::http::{Method, header};
use actix_web::{HttpResponse, Route, guard, web};

/// A route for GET that answers HEAD too.
#[must_use]
pub fn get() -> Route {
    web::route().guard(guard::fn_guard(|context| {
        matches!(context.head().method, Method::GET | Method::HEAD)
    }))
}

/// The answer to every other method: 405 with `Allow`. A resource's
/// [`default_service`](actix_web::Resource::default_service).
///
/// ```
/// use actix_web::{HttpResponse, web};
/// use backend::infrastructure::http::{allow, get};
///
/// web::resource("/health").route(get().to(HttpResponse::Ok)).default_service(allow("GET, HEAD"));
/// ```
#[must_use]
pub fn allow(methods: &'static str) -> Route {
    web::route().to(move || async move {
        HttpResponse::MethodNotAllowed()
            .insert_header((header::ALLOW, methods))
            .finish()
    })
}
