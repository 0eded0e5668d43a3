//! [`Database`] as a parameter of handlers.
//!
//! Come here only if handlers must get another database, such as one of their tenant.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};

use super::pool::Database;
use crate::http::ApiError;

/// The database of the application: the `web::Data<Database>` that it was started with. 500 where it has none.
impl FromRequest for Database {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let database = request.app_data::<web::Data<Self>>();
        ready(database.map_or_else(
            || Err(ApiError::internal(&"the application has no database")),
            |database| Ok(database.get_ref().clone()),
        ))
    }
}
