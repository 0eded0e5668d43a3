//! The answers of handlers: JSON, a created resource, or nothing.
//!
//! Come here to change the form of successful answers. A handler that needs another status or header returns an
//! `HttpResponse`, or any other `Responder`, instead. Errors are in `error`.

use actix_web::body::BoxBody;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse, Responder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::error::ApiError;

/// The outcome of a handler.
///
/// ```ignore
/// pub async fn read(database: Database, PathId(id): PathId) -> Answer {
///     ok(crud::find(&database, id).await?)
/// }
/// ```
pub type Answer = Result<Success, ApiError>;

/// The characters of an id that a path cannot contain literally (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A successful answer, made by [`ok`], [`created`] or [`no_content`].
#[derive(Debug)]
pub struct Success {
    response: HttpResponse,
    /// The id of the created resource, as its path contains it.
    created: Option<String>,
}

impl Success {
    const fn of(response: HttpResponse) -> Self {
        Self {
            response,
            created: None,
        }
    }
}

/// 200 with the value as JSON.
pub fn ok(body: impl Serialize) -> Answer {
    Ok(Success::of(HttpResponse::Ok().json(body)))
}

/// 201 with the created resource as JSON. `Location` is the path of the request followed by the id, so
/// the handler must answer a POST to the collection of the resource.
pub fn created(id: impl ToString, body: impl Serialize) -> Answer {
    Ok(Success {
        response: HttpResponse::Created().json(body),
        created: Some(utf8_percent_encode(&id.to_string(), ENCODED).to_string()),
    })
}

/// 204 without a body.
pub fn no_content() -> Answer {
    Ok(Success::of(HttpResponse::NoContent().finish()))
}

impl Responder for Success {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = self.response;
        if let Some(id) = self.created {
            let location = format!("{}/{id}", request.path());
            // A path and an encoded id have no characters that a header refuses.
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(LOCATION, location);
            }
        }
        response
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
