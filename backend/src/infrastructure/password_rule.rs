//! The rule that a new password must meet, for settings and for requests.
//!
//! Come here to change the rule. Hashing and checking passwords is in `auth`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};

const MIN_CHARACTERS: usize = 8;
const MAX_CHARACTERS: usize = 128;

/// Whether the password meets the rule: 8 to 128 characters.
#[must_use]
pub fn is_acceptable_password(password: &SecretString) -> bool {
    (MIN_CHARACTERS..=MAX_CHARACTERS).contains(&password.expose_secret().chars().count())
}

/// The rule for the description of the API: `#[schemars(with = "AcceptablePassword")]`.
#[derive(Debug)]
pub struct AcceptablePassword;

impl JsonSchema for AcceptablePassword {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AcceptablePassword".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "password",
            "minLength": MIN_CHARACTERS,
            "maxLength": MAX_CHARACTERS,
            "writeOnly": true,
            "examples": ["correct horse battery staple"],
        })
    }
}

/// A present password, which is only compared, for the description of the API: `#[schemars(with = "Password")]`.
#[derive(Debug)]
pub struct Password;

impl JsonSchema for Password {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "password",
            "writeOnly": true,
            "examples": ["correct horse battery staple"],
        })
    }
}
