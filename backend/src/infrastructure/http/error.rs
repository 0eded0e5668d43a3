//! The error type, with its HTTP answers.
//!
//! A handler returns it; [`super::apply_conventions`] writes it as `application/problem+json` (RFC 9457) with the
//! request's id. A 500 shows no cause: the cause is in the log under that id.
//!
//! Come here to add an error. Problem documents are written in `problem`, not here.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cache::CacheError;

/// A mistake in one field.
#[derive(Clone, Debug, JsonSchema, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The path to the field; empty for the whole body or query.
    pub field: String,
    /// The rule that the value must meet.
    pub message: String,
}

impl FieldError {
    /// A mistake in a field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// A value, or the error that the request is answered with.
pub type ApiResult<T> = Result<T, ApiError>;

/// The reason that a request gets an error.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 400: the request is malformed. The text says how.
    #[error("{0}")]
    BadRequest(String),
    /// 401: there is no valid access token.
    #[error("a valid access token is required")]
    Unauthorized,
    /// 401 at login: the same words whether or not the user exists.
    #[error("the username or the password is wrong")]
    WrongCredentials,
    /// 403: the caller may not do this. The text says who may.
    #[error("{0}")]
    Forbidden(&'static str),
    /// 404: the resource does not exist.
    #[error("there is nothing here")]
    NotFound,
    /// 408: the body did not arrive within 30 s.
    #[error("the body did not arrive in time")]
    RequestTimeout,
    /// 409: the state of the resource does not allow this. The text says why.
    #[error("{0}")]
    Conflict(String),
    /// 412: the resource has none of the tags in `If-Match`.
    #[error("the resource is not the one that `If-Match` names: read it again")]
    PreconditionFailed,
    /// 413: the body is larger than this number of bytes.
    #[error("the body is larger than {0} bytes")]
    PayloadTooLarge(usize),
    /// 415: the content type is not JSON.
    #[error("the body must be `application/json`")]
    UnsupportedMediaType,
    /// 415: the body has a `Content-Encoding`. `Accept-Encoding` says what is accepted (RFC 9110, section 15.5.16).
    #[error("the body must be sent as it is, without `Content-Encoding`")]
    UnsupportedContentCoding,
    /// 422: these fields are wrong.
    #[error("the request is well-formed, but something in it is wrong")]
    Unprocessable(Vec<FieldError>),
    /// 429: too many wrong passwords for the account or from the address. The time until another attempt.
    #[error("too many wrong passwords: try again when the time in `Retry-After` is over")]
    TooManyAttempts(Duration),
    /// 429: more requests than `RATE_LIMIT`. The time until another request.
    #[error("too many requests: try again when the time in `Retry-After` is over")]
    TooManyRequests(Duration),
    /// 500: a mistake of the service. Made by [`Self::internal`], which logs the cause.
    #[error("something went wrong on our side")]
    Internal,
    /// 503: the service cannot answer now, such as while the database is unavailable.
    #[error("the service cannot answer right now; try again")]
    Unavailable,
}

impl ApiError {
    /// 500; the cause is written to the log only.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!("internal error: {cause}");
        Self::Internal
    }
}

/// A handler that needs the cache, such as one that counts in it, returns its errors with `?`. Where the cache only
/// saves work, a handler must go on without it, so that a fault of the cache does not become an error of the client.
impl From<CacheError> for ApiError {
    /// 503 with `Retry-After` while the backend is unavailable; 500 for a mistake in the program.
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Unavailable(cause) => {
                tracing::warn!("answered with 503, because the cache is unavailable: {cause}");
                Self::Unavailable
            }
            error => Self::internal(&error),
        }
    }
}

/// The content of a problem answer besides its status.
#[derive(Clone, Debug)]
pub(super) struct ProblemDetails {
    pub(super) detail: String,
    pub(super) errors: Vec<FieldError>,
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::WrongCredentials => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType | Self::UnsupportedContentCoding => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyAttempts(_) | Self::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        match self {
            Self::Unauthorized | Self::WrongCredentials => {
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::UnsupportedContentCoding => {
                response.headers_mut().insert(
                    header::ACCEPT_ENCODING,
                    HeaderValue::from_static("identity"),
                );
            }
            Self::TooManyAttempts(remaining) | Self::TooManyRequests(remaining) => {
                let seconds = remaining.as_millis().div_ceil(1000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Self::Unavailable => {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        let errors = if let Self::Unprocessable(errors) = self {
            errors.clone()
        } else {
            Vec::new()
        };
        response.extensions_mut().insert(ProblemDetails {
            detail: self.to_string(),
            errors,
        });
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unavailable_cache_is_a_503_and_a_misused_one_a_500() {
        let unavailable = CacheError::Unavailable(crate::cache::Unavailable("closed".to_owned()));
        let response = ApiError::from(unavailable).error_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        let misused = ApiError::from(CacheError::Expiration).error_response();
        assert_eq!(misused.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
