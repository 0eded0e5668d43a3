//! Policies that stand where they may not (C19).
//!
//! Come here to see which mistakes are found when a request comes.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

/// A policy that invalidates more than its own key stands on a route that reads (C19).
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "InvalidRequestError: to_invalidate_extra, to_invalidate_groups and pattern_to_invalidate_extra belong on routes \
     that write; take them off the policy of this GET route"
)]
pub struct InvalidRequestError;

impl ResponseError for InvalidRequestError {
    fn status_code(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }

    fn error_response(&self) -> HttpResponse {
        let problem = serde_json::json!({
            "type": "InvalidRequestError",
            "title": "Internal Server Error",
            "status": 500,
            "detail": self.to_string(),
        });
        HttpResponse::InternalServerError()
            .content_type("application/problem+json")
            .body(problem.to_string())
    }
}
