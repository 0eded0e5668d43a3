//! Writes every error as `application/problem+json` (RFC 9457).
//!
//! Come here to change the form of errors. Errors are defined in `error`.

use std::fmt;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{Error, HttpResponse, ResponseError};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use super::error::{FieldError, ProblemDetails};
use super::request_id::{RequestId, X_REQUEST_ID};

/// An error (RFC 9457).
#[derive(JsonSchema, Serialize)]
struct Problem<'a> {
    /// `about:blank`: the status says the kind of the problem.
    r#type: &'a str,
    /// The words of the status.
    title: &'a str,
    /// The status.
    status: u16,
    /// The reason, for people.
    detail: &'a str,
    /// The id of the request, which the log has too.
    request_id: &'a str,
    /// The fields that are wrong, for 422.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

/// The schema of problem documents, for the description of the API.
pub fn problem_schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Problem<'static>>()
}

/// Whether an answer needs a problem body: every answer of status 400 or above, whether it comes from a
/// handler, an extractor, the router or the cache. A handler's own JSON stays as it is.
pub(super) fn is_bare_error<B>(response: &ServiceResponse<B>) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        && response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_none_or(|own| own != "application/json")
}

/// An error without the request that it belongs to.
#[derive(Debug)]
pub(super) struct ErrorWithoutRequest {
    pub(super) request_id: RequestId,
    pub(super) error: Error,
}

impl fmt::Display for ErrorWithoutRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(formatter)
    }
}

impl ResponseError for ErrorWithoutRequest {
    fn status_code(&self) -> StatusCode {
        self.error.as_response_error().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let request_id = self.request_id.to_string();
        let own = self.error.as_response_error().error_response();
        let details = own.extensions();
        let details = details.get::<ProblemDetails>();
        let mut response = HttpResponse::build(status);
        if let Some(seconds) = own.headers().get(header::RETRY_AFTER) {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response
            .content_type("application/problem+json")
            .insert_header((X_REQUEST_ID, request_id.as_str()))
            .json(Problem {
                r#type: "about:blank",
                title: status.canonical_reason().unwrap_or("Error"),
                status: status.as_u16(),
                detail: details.map_or(usual_detail(status), |details| &details.detail),
                request_id: &request_id,
                errors: &[],
            })
    }
}

/// Gives an answer its problem body. A body that is already a problem document stays, and gets the id of
/// the request.
pub(super) fn render<B: MessageBody>(
    response: ServiceResponse<B>,
    request_id: &RequestId,
) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let details = response.extensions_mut().remove::<ProblemDetails>();
    let request_id = request_id.to_string();
    let body = match own_document(&response, body) {
        Some(mut document) => {
            document.insert("request_id".to_owned(), request_id.into());
            serde_json::to_vec(&document)
        }
        None => serde_json::to_vec(&Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: details
                .as_ref()
                .map_or_else(|| usual_detail(status), |details| &details.detail),
            request_id: &request_id,
            errors: details
                .as_ref()
                .map(|details| details.errors.as_slice())
                .unwrap_or_default(),
        }),
    };
    for name in [
        header::CONTENT_LENGTH,
        header::ETAG,
        header::TRANSFER_ENCODING,
    ] {
        response.headers_mut().remove(name);
    }
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    let body = BoxBody::new(body.unwrap_or_default());
    ServiceResponse::new(request, response.set_body(body))
}

/// The problem document in an answer's body, if it is one and is in memory.
fn own_document<B: MessageBody>(
    response: &HttpResponse<()>,
    body: B,
) -> Option<serde_json::Map<String, serde_json::Value>> {
    let content_type = response.headers().get(header::CONTENT_TYPE)?;
    if content_type != "application/problem+json" {
        return None;
    }
    serde_json::from_slice(&body.try_into_bytes().ok()?).ok()
}

/// A problem document for an answer that no request is known of.
pub(super) fn document(status: StatusCode, detail: &str, request_id: &str) -> Vec<u8> {
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
        request_id,
        errors: &[],
    };
    serde_json::to_vec(&problem).unwrap_or_default()
}

pub(super) fn usual_detail(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is nothing here",
        StatusCode::METHOD_NOT_ALLOWED => "this resource does not know the method; see `Allow`",
        status if status.is_server_error() => "something went wrong on our side",
        _ => "the request could not be understood",
    }
}

#[cfg(test)]
mod tests {
    use crate::watchdog;
    use actix_web::test::TestRequest;

    use super::*;

    #[actix_web::test]
    async fn a_problem_document_keeps_its_type_and_detail_and_gets_the_id_of_the_request() {
        watchdog::watch();
        let mut request = TestRequest::default().to_srv_request();
        let request_id = RequestId::assign(&mut request);
        let own = HttpResponse::InternalServerError()
            .content_type("application/problem+json")
            .body(
                r#"{"type":"own","status":500,"detail":"the route is wrong","request_id":"old"}"#,
            );
        let rendered = render(request.into_response(own), &request_id);
        let body = rendered.into_body().try_into_bytes().unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["type"], "own");
        assert_eq!(problem["detail"], "the route is wrong");
        assert_eq!(problem["request_id"], request_id.to_string());
    }

    #[actix_web::test]
    async fn a_body_that_is_no_problem_document_is_replaced_by_one() {
        watchdog::watch();
        for (content_type, body) in [
            ("text/plain", "{\"detail\":\"secret\"}"),
            ("application/problem+json", "[\"secret\"]"),
            ("application/problem+json", "secret"),
        ] {
            let mut request = TestRequest::default().to_srv_request();
            let request_id = RequestId::assign(&mut request);
            let own = HttpResponse::NotFound()
                .content_type(content_type)
                .body(body);
            let rendered = render(request.into_response(own), &request_id);
            let body = rendered.into_body().try_into_bytes().unwrap();
            let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["type"], "about:blank");
            assert_eq!(problem["detail"], "there is nothing here");
        }
    }
}
