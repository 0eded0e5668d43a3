//! What goes in and out of signing in.

use chrono::{DateTime, Utc};
use garde::Validate;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Who wants to sign in. Only what makes the work unbounded is refused here; whatever else is wrong
/// is a wrong name or password.
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
    /// To be sent as `Authorization: Bearer …`. It is not stored and not shown again.
    pub access_token: String,
    /// `bearer`.
    pub token_type: &'static str,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
}
