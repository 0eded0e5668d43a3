//! Renders every error as `application/problem+json` (RFC 9457).

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use serde::Serialize;

use super::error::{FieldError, ProblemDetails};
use super::request_id::RequestId;
use crate::infrastructure::cache::InvalidRequestError;

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

/// A middleware that gives every answer of status 400 and above its problem body, whoever made it: a
/// handler, an extractor, the router or a stored answer. A handler's own JSON stays as it is.
///
/// # Errors
/// Those of the inner service that are no answers.
pub async fn render_problems(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|own| own == "application/json");
    if is_error && !is_json {
        Ok(render(response, status))
    } else {
        Ok(response)
    }
}

fn render(response: ServiceResponse<BoxBody>, status: StatusCode) -> ServiceResponse<BoxBody> {
    let misused = response
        .response()
        .error()
        .and_then(|error| error.as_error::<InvalidRequestError>())
        .is_some();
    let (request, mut response) = response.into_parts();
    let details = response.extensions_mut().remove::<ProblemDetails>();
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map(RequestId::to_string)
        .unwrap_or_default();
    let misuse = InvalidRequestError.to_string();
    let problem = Problem {
        r#type: if misused {
            "InvalidRequestError"
        } else {
            "about:blank"
        },
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail: match &details {
            _ if misused => &misuse,
            Some(details) => &details.detail,
            None => usual_detail(status),
        },
        request_id: &request_id,
        errors: details
            .as_ref()
            .map(|details| details.errors.as_slice())
            .unwrap_or_default(),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
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
    ServiceResponse::new(request, response.set_body(BoxBody::new(body)))
}

fn usual_detail(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is nothing here",
        StatusCode::METHOD_NOT_ALLOWED => "this resource does not know the method; see `Allow`",
        status if status.is_server_error() => "something went wrong on our side",
        _ => "the request could not be understood",
    }
}
