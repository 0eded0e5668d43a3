//! A route for GET that answers HEAD too, for resources that are wrapped by hand.
//!
//! Declared resources (`infrastructure::resource`) have their own. Come here only for routes that cannot
//! be declared.

use actix_web::http::Method;
use actix_web::{Route, guard, web};

/// A route for GET that answers HEAD too.
#[must_use]
pub fn get() -> Route {
    web::route().guard(guard::fn_guard(|context| {
        matches!(context.head().method, Method::GET | Method::HEAD)
    }))
}
