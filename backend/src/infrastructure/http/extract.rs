//! Extractors for bodies and queries, with the errors of the contract.
//!
//! Come here to change how input is refused. Paths are read in `path`.

use std::fmt::Display;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use garde::Validate;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::error::{ApiError, FieldError};

/// The largest body, in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// The longest time for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A validated JSON body. 415 for another content type or a coding (`Content-Encoding`), 413 for a body over 256 KiB, 400 for invalid
/// JSON, 422 for a value of another type or an invalid one.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<T> FromRequest for Json<T>
where
    T: DeserializeOwned + Validate<Context = ()> + 'static,
{
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let is_encoded = is_encoded(request);
        let length = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        let payload = web::Payload::from_request(request, payload);
        Box::pin(async move {
            if !is_json {
                return Err(ApiError::UnsupportedMediaType);
            }
            if is_encoded {
                return Err(ApiError::UnsupportedContentCoding);
            }
            if length.is_some_and(|length: usize| length > MAX_BODY_BYTES) {
                return Err(ApiError::PayloadTooLarge(MAX_BODY_BYTES));
            }
            let payload = payload
                .await
                .map_err(|error| ApiError::BadRequest(error.to_string()))?;
            let body = tokio::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(MAX_BODY_BYTES))
                .await
                .map_err(|_| ApiError::RequestTimeout)?
                .map_err(|_| ApiError::PayloadTooLarge(MAX_BODY_BYTES))?
                .map_err(|error| ApiError::BadRequest(error.to_string()))?;
            validated(parse_json(&body)?).map(Self)
        })
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Whether the body is in a coding, such as `gzip`. None is decoded: a small body could become a very large one.
fn is_encoded(request: &HttpRequest) -> bool {
    request
        .headers()
        .get_all(header::CONTENT_ENCODING)
        .flat_map(|codings| codings.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // Invalid JSON is a 400 wherever the fault is, before any field is checked.
    let no_json = |error| ApiError::BadRequest(format!("the body is not JSON: {error}"));
    serde_json::from_slice::<IgnoredAny>(body).map_err(no_json)?;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        if error.inner().is_data() {
            wrong_field(&error)
        } else {
            no_json(error.into_inner())
        }
    })
}

/// 422 with the path to the field and serde's message without the value, which may be a password.
fn wrong_field<E: Display>(error: &serde_path_to_error::Error<E>) -> ApiError {
    let message = without_value(&error.inner().to_string());
    let path = error.path().to_string();
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|name| name.strip_suffix('`'));
    let field = match (path.as_str(), missing) {
        (".", missing) => missing.unwrap_or_default(),
        (path, _) => path,
    };
    ApiError::Unprocessable(vec![FieldError::new(field, message.as_str())])
}

/// A message of serde without the refused value, and without the position, which is useless beside the
/// name of the field.
fn without_value(message: &str) -> String {
    for beginning in ["invalid type: ", "invalid value: ", "unknown variant "] {
        let Some(rest) = message.strip_prefix(beginning) else {
            continue;
        };
        // The value may contain these words too. The expectation is at the end, and is this program's
        // text.
        let (value, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
        let kind = value.split(['`', '"']).next().unwrap_or_default().trim();
        let expected = expected.split(" at line ").next().unwrap_or_default();
        let refused = format!("{beginning}{kind}");
        return format!(
            "{}, expected {expected}",
            refused.trim_end_matches([' ', ':'])
        );
    }
    let end = message.rfind(" at line ").unwrap_or(message.len());
    message[..end].to_owned()
}

/// A validated query: 422 for any mistake.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<T> FromRequest for Query<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(query_of(request).map(Self))
    }
}

/// The validated query of a request.
///
/// # Errors
/// 422 for any mistake.
pub(super) fn query_of<T>(request: &HttpRequest) -> Result<T, ApiError>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    let pairs = form_urlencoded::parse(request.query_string().as_bytes());
    let deserializer = serde_urlencoded::Deserializer::new(pairs);
    let parsed =
        serde_path_to_error::deserialize(deserializer).map_err(|error| wrong_field(&error));
    parsed.and_then(validated)
}

fn validated<T: Validate<Context = ()>>(value: T) -> Result<T, ApiError> {
    match value.validate() {
        Ok(()) => Ok(value),
        Err(report) => Err(ApiError::Unprocessable(
            report
                .iter()
                .map(|(path, error)| FieldError::new(path.to_string(), error.message()))
                .collect(),
        )),
    }
}

/// For a field of a PATCH that may be left out but not be `null`: `#[serde(default, deserialize_with = "present")]`.
///
/// # Errors
/// The errors of the value.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// For a field of a PATCH that `null` clears: `None` where it is left out, `Some(None)` for `null`.
///
/// # Errors
/// The errors of the value.
pub fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// For text that will be stored: text in PostgreSQL cannot contain NUL. `#[garde(custom(without_nul))]`.
///
/// # Errors
/// The text contains a NUL.
pub fn without_nul(text: &str, _: &()) -> garde::Result {
    if text.contains('\0') {
        Err(garde::Error::new("must not contain the NUL character"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Body {
        text: String,
        #[serde(default)]
        small: u8,
        #[serde(default)]
        colour: Option<Colour>,
    }

    fn refusal(body: &str) -> FieldError {
        match parse_json::<Body>(body.as_bytes()) {
            Err(ApiError::Unprocessable(mut errors)) => errors.remove(0),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn a_refused_value_is_described_and_not_shown() {
        for (body, field, message) in [
            (
                r#"{"text": 12345678}"#,
                "text",
                "invalid type: integer, expected a string",
            ),
            (
                r#"{"text": 1.5}"#,
                "text",
                "invalid type: floating point, expected a string",
            ),
            (
                r#"{"text": true}"#,
                "text",
                "invalid type: boolean, expected a string",
            ),
            (
                r#"{"text": null}"#,
                "text",
                "invalid type: null, expected a string",
            ),
            (
                r#"{"text": ["hunter2"]}"#,
                "text",
                "invalid type: sequence, expected a string",
            ),
            (
                r#"{"text": {"hunter2": 1}}"#,
                "text",
                "invalid type: map, expected a string",
            ),
            (
                r#"{"text": "", "small": 300}"#,
                "small",
                "invalid value: integer, expected u8",
            ),
            (
                r#"{"text": "", "small": "a, expected b at line 1"}"#,
                "small",
                "invalid type: string, expected u8",
            ),
            (
                r#"{"text": "", "colour": "hunter2"}"#,
                "colour",
                "unknown variant, expected `red`",
            ),
            (r#"{"small": 1}"#, "text", "missing field `text`"),
        ] {
            assert_eq!(refusal(body), FieldError::new(field, message), "{body}");
        }
    }

    #[test]
    fn an_unknown_field_is_named() {
        let refusal = refusal(r#"{"text": "", "colr": 1}"#);
        assert_eq!(
            refusal.message,
            "unknown field `colr`, expected one of `text`, `small`, `colour`"
        );
    }
}
