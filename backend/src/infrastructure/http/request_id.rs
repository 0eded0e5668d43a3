//! `X-Request-Id`: every request has one, in the log and in the answer.
//!
//! Come here to change which ids of clients are accepted.

use std::fmt;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderName, HeaderValue};
use uuid::Uuid;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: a request extension.
#[derive(Clone, Debug)]
pub struct RequestId(Id);

#[derive(Clone, Debug)]
enum Id {
    Sent(HeaderValue),
    /// Converted to text at its use, which is once without a log.
    New(Uuid),
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Id::Sent(sent) => formatter.write_str(sent.to_str().unwrap_or_default()),
            Id::New(new) => new.fmt(formatter),
        }
    }
}

impl RequestId {
    /// A new id.
    pub(super) fn new() -> Self {
        Self(Id::New(Uuid::new_v4()))
    }

    /// The client's id if it is 1–128 of `[A-Za-z0-9._-]`, a new one otherwise.
    pub(super) fn of(request: &ServiceRequest) -> Self {
        Self(match request.headers().get(X_REQUEST_ID) {
            Some(sent) if is_acceptable(sent.as_bytes()) => Id::Sent(sent.clone()),
            _ => return Self::new(),
        })
    }

    /// The id as the answer's header.
    pub(super) fn into_header(self) -> HeaderValue {
        match self.0 {
            Id::Sent(sent) => sent,
            Id::New(new) => {
                let mut text = Uuid::encode_buffer();
                let text = new.as_hyphenated().encode_lower(&mut text);
                HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("none"))
            }
        }
    }
}

fn is_acceptable(id: &[u8]) -> bool {
    (1..=128).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
