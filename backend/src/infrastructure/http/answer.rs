//! The answers of handlers: JSON, a created resource, or nothing.
//!
//! Come here to change the form of successful answers. The type of an answer gives its status and its body to the
//! description of the API. A handler that needs another header customizes one of them (`Responder::customize`). Errors are in
//! `error`.
//!
//! ```ignore
//! pub async fn read(database: Database, PathId(id): PathId) -> ApiJson<Widget> {
//!     ok(crud::find(&database, id).await?)
//! }
//! ```

use actix_web::body::BoxBody;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse, Responder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::error::ApiResult;
use super::extract::Json;
use super::page::Page;

/// The characters of an id that a path cannot contain literally (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// 201 with the created resource, made by [`created`].
#[derive(Clone, Debug)]
pub struct Created<T> {
    /// The id, as the path of the resource contains it.
    id: String,
    body: T,
}

/// 204, made by [`no_content`].
#[derive(Clone, Copy, Debug)]
pub struct NoContent;

/// The return type of a handler that answers with [`ok`]: 200 with JSON, or an error.
pub type ApiJson<T> = ApiResult<Json<T>>;

/// The return type of a handler that answers with [`ok`] and one page of a list.
pub type ApiPage<T> = ApiJson<Page<T>>;

/// The return type of a handler that answers with [`created`]: 201 with JSON and `Location`, or an error.
pub type ApiCreated<T> = ApiResult<Created<T>>;

/// The return type of a handler that answers with [`no_content`]: 204, or an error.
pub type ApiNoContent = ApiResult<NoContent>;

/// 200 with the value as JSON.
pub const fn ok<T>(body: T) -> ApiJson<T> {
    Ok(Json(body))
}

/// 201 with the created resource as JSON. `Location` is the path of the request followed by the id, so
/// the handler must answer a POST to the collection of the resource.
pub fn created<T>(id: impl ToString, body: T) -> ApiCreated<T> {
    Ok(Created {
        id: utf8_percent_encode(&id.to_string(), ENCODED).to_string(),
        body,
    })
}

/// 204 without a body.
pub const fn no_content() -> ApiNoContent {
    Ok(NoContent)
}

impl<T: Serialize> Responder for Json<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self.0)
    }
}

impl<T: Serialize> Responder for Created<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Created().json(self.body);
        let location = format!("{}/{}", request.path(), self.id);
        // A path and an encoded id have no characters that a header refuses.
        if let Ok(location) = HeaderValue::from_str(&location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

impl Responder for NoContent {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_created_resource_is_located_below_the_path_of_the_request() {
        for (id, location) in [("7", "/notes/7"), ("a/ü", "/notes/a%2F%C3%BC")] {
            let request = TestRequest::post().uri("/notes?x=1").to_http_request();
            let response = created(id, ()).unwrap().respond_to(&request);
            assert_eq!(response.headers().get(LOCATION).unwrap(), location);
        }
    }
}
