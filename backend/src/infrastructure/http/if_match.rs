//! `If-Match` (RFC 9110, section 13.1.1): a write that is done only if the resource has not changed
//! since it was read.
//!
//! Come here to add it to a PATCH or DELETE: take [`IfMatch`] in the handler, and call
//! [`IfMatch::check`] in the transaction of the change, after the row was locked. Do not check outside
//! that transaction: another write could come between the check and the change.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{EntityTag, Header as _, HeaderValue, IF_MATCH, IfMatch as Listed};
use actix_web::{FromRequest, HttpRequest};
use serde::Serialize;

use super::error::ApiError;
use crate::cache::{compressed_entity_tag, entity_tag};

/// The condition of a write, or none where the request has no `If-Match`.
///
/// As an extractor it answers 400 where the header lists no entity tag.
///
/// ```ignore
/// let mut transaction = database.begin().await?;
/// // `SELECT … FOR UPDATE`: no other write can come between the check and the change.
/// crud::lock(&mut transaction, id).await?;
/// if_match.check(&crud::find(&mut *transaction, id).await?)?;
/// crud::delete(&mut transaction, id).await?;
/// transaction.commit().await?;
/// ```
#[derive(Clone, Debug)]
pub struct IfMatch(Option<Listed>);

impl IfMatch {
    /// The values of the header field, for the description of the API.
    pub const PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$"#;

    /// Whether the request has a condition. Without one a write needs neither the lock nor the check.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// Passes if there is no condition, if it is `*`, or if a listed tag equals the strong `ETag` that GET gives the
    /// representation. Weak tags equal nothing (strong comparison, RFC 9110, section 8.8.3.2).
    ///
    /// `current` must be the value that the GET of the same path answers as JSON, read in the transaction of the change.
    ///
    /// # Errors
    /// [`ApiError::PreconditionFailed`] (412) if no listed tag is equal.
    pub fn check(&self, current: &impl Serialize) -> Result<(), ApiError> {
        let Some(Listed::Items(tags)) = &self.0 else {
            return Ok(());
        };
        let body = serde_json::to_vec(current).map_err(|error| ApiError::internal(&error))?;
        let plain = entity_tag(&body);
        // A client that got the answer compressed has the tag of that form.
        let compressed = compressed_entity_tag(&plain);
        let is_listed = |current: &HeaderValue| {
            let current = current.to_str().ok();
            let current = current.and_then(|current| current.parse::<EntityTag>().ok());
            current.is_some_and(|current| tags.iter().any(|tag| tag.strong_eq(&current)))
        };
        if is_listed(&plain) || is_listed(&compressed) {
            Ok(())
        } else {
            Err(ApiError::PreconditionFailed)
        }
    }
}

impl FromRequest for IfMatch {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if !request.headers().contains_key(IF_MATCH) {
            return ready(Ok(Self(None)));
        }
        ready(match Listed::parse(request) {
            Ok(Listed::Items(tags)) if tags.is_empty() => Err(malformed()),
            Ok(listed) => Ok(Self(Some(listed))),
            Err(_) => Err(malformed()),
        })
    }
}

fn malformed() -> ApiError {
    ApiError::BadRequest(
        "`If-Match` lists no entity tag: it is `*`, or tags in quotes, as `ETag` has them"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchdog;
    use actix_web::test::TestRequest;

    async fn extract(values: &[&str]) -> Result<IfMatch, ApiError> {
        let mut request = TestRequest::default();
        for value in values {
            request = request.append_header((IF_MATCH, *value));
        }
        IfMatch::extract(&request.to_http_request()).await
    }

    #[actix_web::test]
    async fn only_an_equal_strong_tag_or_a_star_passes() {
        watchdog::watch();
        let tag = entity_tag(b"[1,2]").to_str().unwrap().to_owned();
        let weak = format!("W/{tag}");
        let compressed = format!("{}-zstd\"", tag.trim_end_matches('"'));
        let list = format!("\"a\", ,{tag}");
        for (values, passes) in [
            (vec![], true),
            (vec!["*"], true),
            (vec![tag.as_str()], true),
            (vec![list.as_str()], true),
            (vec![compressed.as_str()], true),
            (vec!["\"a\"", tag.as_str()], true),
            (vec!["\"a\""], false),
            (vec![weak.as_str()], false),
            (vec!["\"\""], false),
        ] {
            let checked = extract(&values).await.unwrap().check(&[1, 2]);
            assert_eq!(checked.is_ok(), passes, "{values:?}");
        }
    }

    #[actix_web::test]
    async fn a_header_without_a_tag_is_a_bad_request() {
        watchdog::watch();
        for value in ["", "x", ",", "\"half", "W/x"] {
            assert!(
                matches!(extract(&[value]).await, Err(ApiError::BadRequest(_))),
                "{value}"
            );
        }
    }
}
