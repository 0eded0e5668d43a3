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

/// A session: a sign-in whose token is valid.
#[derive(JsonSchema, Serialize)]
pub struct SessionRead {
    /// The session's id. It is no secret, and gives no access.
    pub id: i64,
    /// The time of the sign-in.
    pub created_at: DateTime<Utc>,
    /// The beginning of the hour of the last request that the token authenticated.
    pub last_used_at: DateTime<Utc>,
    /// The `User-Agent` of the sign-in, up to 200 characters; `null` if it had none.
    #[schemars(example = &"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")]
    pub client: Option<String>,
    /// The address of the sign-in; `null` if it is not known.
    #[schemars(example = &"192.0.2.1")]
    pub address: Option<String>,
}
