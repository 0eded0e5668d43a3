//! A username in a path.
//!
//! Come here to change which texts can be usernames. Whether a user of that name exists is asked in the modules, not
//! here.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::http::ApiError;

/// The path parameter `username`: 404 for a text that cannot be a username, without asking the database.
#[derive(Clone, Debug)]
pub struct Username(pub String);

impl Username {
    /// Whether the text can be a username: 2–32 of `[a-z0-9_]`.
    #[must_use]
    pub fn is_possible(name: &str) -> bool {
        (2..=32).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    }
}

/// The rule of [`Username::is_possible`], for the description of the API. `me` is the path of the caller.
impl JsonSchema for Username {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Username".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(?!me$)[a-z0-9_]{2,32}$",
            "examples": ["ada"],
        })
    }
}

impl FromRequest for Username {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match request.match_info().get("username") {
            Some(name) if Self::is_possible(name) => Ok(Self(name.to_owned())),
            _ => Err(ApiError::NotFound),
        })
    }
}
