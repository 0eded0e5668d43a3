//! `X-Request-Id`: every request has one, in the log and in the answer.
//!
//! The id is stored as a header of the request, because an extension of the request would cost every hit two
//! allocations.
//!
//! Come here to change which ids of clients are accepted.

use std::fmt;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderName, HeaderValue};
use uuid::Uuid;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, as text.
#[must_use]
pub fn request_id(request: &impl HttpMessage) -> Option<&str> {
    request.headers().get(X_REQUEST_ID)?.to_str().ok()
}

/// The id of a request, for its answer.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// A new id.
    pub(super) fn new() -> Self {
        let mut text = Uuid::encode_buffer();
        let text = Uuid::new_v4().as_hyphenated().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("none")))
    }

    /// Gives the request its id: the client's if it is 1–128 of `[A-Za-z0-9._-]`, a new one otherwise.
    pub(super) fn assign(request: &mut ServiceRequest) -> Self {
        let sent = request.headers().get(X_REQUEST_ID);
        if let Some(sent) = sent
            && is_acceptable(sent.as_bytes())
        {
            return Self(sent.clone());
        }
        let (is_without, id) = (sent.is_none(), Self::new());
        let headers = request.headers_mut();
        if is_without {
            // This takes two thirds of the time of inserting.
            headers.append(X_REQUEST_ID, id.0.clone());
        } else {
            headers.insert(X_REQUEST_ID, id.0.clone());
        }
        id
    }

    /// The id as the answer's header.
    pub(super) fn into_header(self) -> HeaderValue {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.to_str().unwrap_or_default())
    }
}

fn is_acceptable(id: &[u8]) -> bool {
    (1..=128).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
