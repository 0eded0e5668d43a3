//! Mistakes in how a policy is wrapped that only a request shows (C19, C45, C46).
//!
//! Come here to change the mistakes that are found at a request, and their messages. Mistakes that are
//! visible at start are found in `map`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use crate::keys::bound_caller;
use crate::policy::CompiledPolicy;
use crate::provider::Shared;

/// The error of a policy in a place where it cannot work. The handler does not run; the answer is 500 with this problem
/// type.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum InvalidRequestError {
    /// A policy that invalidates more than its own key is on a route that reads (C19).
    #[error(
        "InvalidRequestError: to_invalidate_extra, to_invalidate_groups and pattern_to_invalidate_extra belong on routes \
         that write; take them off the policy of this GET route"
    )]
    InvalidatesOnRead,
    /// A policy is around a scope or the application, where a part of the path is not matched yet (C46).
    #[error(
        "InvalidRequestError: this cache policy stands around a scope or the application, where a part of the path is \
         not matched yet, so that different resources would have one key; wrap it around each route or resource"
    )]
    PathNotMatched,
}

impl InvalidRequestError {
    /// Logs the mistake with the place of the declaration.
    pub(super) fn log(self, policy: &CompiledPolicy, request: &HttpRequest) {
        tracing::error!(
            route = request.match_pattern().unwrap_or_default(),
            policy = policy.name(),
            declared_at = %policy.declared_at,
            "{self}"
        );
    }
}

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

/// Refuses a policy in front of a path that is not completely matched (C46).
pub(super) fn check_position(request: &HttpRequest) -> Result<(), InvalidRequestError> {
    if request.match_info().unprocessed().is_empty() {
        Ok(())
    } else {
        Err(InvalidRequestError::PathNotMatched)
    }
}

/// The caller that was bound when the key of a read was built, if any.
#[derive(Clone, Debug)]
pub(super) struct CallerOfKey(Option<String>);

impl CallerOfKey {
    /// The bound caller. Call this before the handler runs: authentication behind the cache binds the
    /// caller during the run.
    pub(super) fn of(request: &HttpRequest) -> Self {
        Self(bound_caller(request))
    }

    /// Whether a caller was bound while the handler ran and is not in the key (C45). Then the answer may
    /// belong to that caller alone, and is neither stored nor shared. Logged once for each route.
    pub(super) fn changed(
        &self,
        shared: &Shared,
        policy: &CompiledPolicy,
        request: &HttpRequest,
    ) -> bool {
        let caller = bound_caller(request);
        if caller.is_none() || caller == self.0 {
            return false;
        }
        let route = request.match_pattern().unwrap_or_default();
        let prefix = policy.policy.key_prefix();
        if shared
            .warned
            .permits(&format!("{route} {prefix} caller-inside"))
        {
            tracing::error!(
                route,
                policy = prefix,
                "not cached: the caller became known behind the cache, so the answer may be of that caller alone; \
                 authentication must stand outside the policy: `.wrap(POLICY)` first, then `.wrap(…)` of the authenticating \
                 middleware, since the middleware that is wrapped last runs first"
            );
        }
        true
    }
}
