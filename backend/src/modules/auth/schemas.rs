//! Input and output of `/auth`.
//!
//! Come here to change a field. Nothing is decided here.

use chrono::{DateTime, Utc};
use garde::Validate;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::infrastructure::password_rule::Password;

/// A name and a password.
//
// Only input that makes the work unbounded is refused here. Other mistakes count as a wrong name or password.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The username or the e-mail address.
    #[garde(length(chars, max = 254))]
    #[schemars(example = &"ada")]
    pub username: String,
    /// The password.
    #[garde(skip)]
    #[schemars(with = "Password")]
    pub password: SecretString,
}

/// A new access token.
#[derive(JsonSchema, Serialize)]
pub struct Token {
    /// The token for `Authorization: Bearer …`. It is not stored and not shown again.
    pub access_token: String,
    /// `bearer`.
    #[schemars(example = &"bearer")]
    pub token_type: &'static str,
    /// The end of the token's validity.
    pub expires_at: DateTime<Utc>,
}
