//! The answers that are problem documents (RFC 9457), one for each status.
//!
//! Come here to word a status for clients. Which operation answers it is not said here.

use std::time::Duration;

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use crate::http::{ApiError, FieldError};

/// The name of the component, such as `NotFound`.
pub(super) fn name(status: u16) -> String {
    reason(status).replace([' ', '-', '\''], "")
}

/// The component.
pub(super) fn response(status: u16, problem_schema: &Value) -> Value {
    let (meaning, error) = meaning(status);
    let mut example = json!({
        "type": "about:blank",
        "title": reason(status),
        "status": status,
        "detail": error.to_string(),
        "request_id": "0b9f2c4e-7f0a-4c1d-9d55-3f6f2c1f8f4e",
    });
    if let ApiError::Unprocessable(errors) = &error {
        example["errors"] = json!(errors);
    }
    let mut headers = json!({"X-Request-Id": {"$ref": "#/components/headers/XRequestId"}});
    match status {
        401 => {
            headers["WWW-Authenticate"] =
                json!({"description": "`Bearer`.", "schema": {"type": "string"}});
        }
        429 | 503 => {
            headers["Retry-After"] = json!({
                "description": "Seconds until another attempt may succeed.",
                "schema": {"type": "integer", "minimum": 1},
            });
        }
        _ => {}
    }
    json!({
        "description": meaning,
        "headers": headers,
        "content": {"application/problem+json": {"schema": problem_schema, "example": example}},
    })
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Error")
}

/// The meaning of a status, and an error that has it.
fn meaning(status: u16) -> (&'static str, ApiError) {
    match status {
        400 => (
            "The request is malformed: the body is not JSON, or an id or a header field is not of its form.",
            ApiError::BadRequest("`x` is no id: an id is a 64-bit integer".to_owned()),
        ),
        401 => (
            "There is no valid access token, or the credentials are wrong.",
            ApiError::Unauthorized,
        ),
        403 => (
            "The caller may not do this.",
            ApiError::Forbidden("only superusers may do this"),
        ),
        404 => ("There is nothing under this path.", ApiError::NotFound),
        408 => ("The body did not arrive in time.", ApiError::RequestTimeout),
        409 => (
            "The state of the resource does not allow this.",
            ApiError::Conflict("this username is taken by another user".to_owned()),
        ),
        412 => (
            "The resource has none of the tags in `If-Match`.",
            ApiError::PreconditionFailed,
        ),
        413 => (
            "The body is too large.",
            ApiError::PayloadTooLarge(256 * 1024),
        ),
        415 => (
            "The content type is not JSON, or the body has a `Content-Encoding`.",
            ApiError::UnsupportedMediaType,
        ),
        422 => (
            "Fields are missing, unknown or out of their bounds; `errors` names them.",
            ApiError::Unprocessable(vec![FieldError::new("name", "length is lower than 1")]),
        ),
        429 => (
            "Too many requests or wrong passwords.",
            ApiError::TooManyAttempts(Duration::from_mins(1)),
        ),
        503 => (
            "The service cannot answer right now, as when the database is unavailable.",
            ApiError::Unavailable,
        ),
        500 => (
            "A mistake of the service. The log has the cause under the id of the request.",
            ApiError::Internal,
        ),
        _ => (
            "The request was refused.",
            ApiError::BadRequest("the request was refused".to_owned()),
        ),
    }
}
