//! The rule that a new password must meet, for settings and for requests.
//!
//! Come here to change the rule. Hashing and checking passwords is in `auth`.

use secrecy::{ExposeSecret, SecretString};

/// Whether the password meets the rule: 8 to 128 characters.
#[must_use]
pub fn is_acceptable_password(password: &SecretString) -> bool {
    (8..=128).contains(&password.expose_secret().chars().count())
}
