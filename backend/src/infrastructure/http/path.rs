//! Parameters of a path: an id, or a text.
//!
//! Come here to change the value that a handler gets for `{name}` in its path. A name with rules of its
//! own, such as a username, has an extractor where its rules are.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;

use super::error::ApiError;

/// The id in the path: 400 for a text that is no 64-bit integer, 404 for an integer that no row can
/// have.
///
/// The parameter is the last one that is named `id` or ends in `_id`, otherwise the first one.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(inline)]
pub struct PathId(#[schemars(range(min = 1, max = i64::MAX))] pub i64);

impl FromRequest for PathId {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let value = path_parameter(request, true);
        ready(match value.parse::<i64>() {
            Ok(id) if id > 0 => Ok(Self(id)),
            Ok(_) => Err(ApiError::NotFound),
            Err(_) => Err(ApiError::BadRequest(format!(
                "`{value}` is no id: an id is a 64-bit integer"
            ))),
        })
    }
}

/// A text in the path, decoded: 404 for a text that cannot be stored, because it is not UTF-8 or contains a NUL.
///
/// The parameter is the last one that is not named like an id (see [`PathId`]), otherwise the first one.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(inline)]
pub struct PathText(#[schemars(length(min = 1))] pub String);

impl FromRequest for PathText {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let value = percent_decode_str(path_parameter(request, false)).decode_utf8();
        ready(match value {
            Ok(text) if !text.contains('\0') => Ok(Self(text.into_owned())),
            _ => Err(ApiError::NotFound),
        })
    }
}

/// The last parameter whose name is like that of an id, or is not; otherwise the first one.
fn path_parameter(request: &HttpRequest, like_an_id: bool) -> &str {
    let parameters = request.match_info();
    let wanted = parameters
        .iter()
        .filter(|(name, _)| (*name == "id" || name.ends_with("_id")) == like_an_id)
        .last();
    wanted
        .or_else(|| parameters.iter().next())
        .map(|(_, value)| value)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::watchdog;
    use actix_web::test::TestRequest;

    use super::*;

    #[actix_web::test]
    async fn ids_and_texts_in_one_path_are_distinguished_by_their_names() {
        watchdog::watch();
        let request = TestRequest::default()
            .param("code", "a%20b")
            .param("order_id", "7")
            .to_http_request();
        assert_eq!(PathId::extract(&request).await.unwrap().0, 7);
        assert_eq!(PathText::extract(&request).await.unwrap().0, "a b");
        let only = TestRequest::default()
            .param("number", "8")
            .to_http_request();
        assert_eq!(PathId::extract(&only).await.unwrap().0, 8);
        assert_eq!(PathText::extract(&only).await.unwrap().0, "8");
    }

    #[actix_web::test]
    async fn a_text_that_cannot_be_stored_is_not_found() {
        watchdog::watch();
        for value in ["%00", "%FF"] {
            let request = TestRequest::default()
                .param("code", value)
                .to_http_request();
            let error = PathText::extract(&request).await.unwrap_err();
            assert!(matches!(error, ApiError::NotFound), "{value}");
        }
    }
}
