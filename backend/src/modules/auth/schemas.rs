//! Input and output of `/auth`.
//!
//! Come here to change a field. Nothing is decided here.

use chrono::{DateTime, Utc};
use garde::Validate;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// A login. Only input that makes the work unbounded is refused here. Other mistakes count as a wrong
/// name or password.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The username or the e-mail address.
    #[garde(length(chars, max = 254))]
    pub username: String,
    /// The password.
    #[garde(skip)]
    pub password: SecretString,
}

/// A new access token.
#[derive(Serialize)]
pub struct Token {
    /// The token for `Authorization: Bearer …`. It is not stored and not shown again.
    pub access_token: String,
    /// `bearer`.
    pub token_type: &'static str,
    /// The end of the token's validity.
    pub expires_at: DateTime<Utc>,
}
