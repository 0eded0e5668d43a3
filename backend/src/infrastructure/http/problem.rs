//! Renders every error as `application/problem+json` (RFC 9457).

use std::fmt;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use serde::Serialize;

use super::error::{FieldError, ProblemDetails};
use super::request_id::{RequestId, X_REQUEST_ID};
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
/// Those of the inner service that are no answers, such as a handler that panicked, as problems too.
pub async fn render_problems(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let request_id = request.extensions().get::<RequestId>().cloned();
    let response = match next.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => return Err(Unanswered { request_id, error }.into()),
    };
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_json = content_type.is_some_and(|own| own == "application/json");
    if is_error && !is_json {
        Ok(render(response, status))
    } else {
        Ok(response)
    }
}

/// An error that came without the request that it belongs to.
#[derive(Debug)]
struct Unanswered {
    request_id: Option<RequestId>,
    error: Error,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(formatter)
    }
}

impl ResponseError for Unanswered {
    fn status_code(&self) -> StatusCode {
        self.error.as_response_error().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let request_id = self
            .request_id
            .as_ref()
            .map(RequestId::to_string)
            .unwrap_or_default();
        HttpResponse::build(status)
            .content_type("application/problem+json")
            .insert_header((X_REQUEST_ID, request_id.as_str()))
            .json(Problem {
                r#type: "about:blank",
                title: status.canonical_reason().unwrap_or("Error"),
                status: status.as_u16(),
                detail: usual_detail(status),
                request_id: &request_id,
                errors: &[],
            })
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
