//! Input and output of `/users`.
//!
//! Come here to change a field or its bounds. Nothing is decided here.

use chrono::{DateTime, Utc};
use garde::Validate;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};

use crate::infrastructure::auth::Username;
use crate::infrastructure::http::{present, without_nul};
use crate::infrastructure::password_rule::is_acceptable_password;

/// A new user.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// 2–32 of `[a-z0-9_]`; not `me`.
    #[garde(custom(is_username))]
    pub username: String,
    /// Converted to lower case.
    #[serde(deserialize_with = "lower_case")]
    #[garde(email, length(chars, max = 254))]
    pub email: String,
    /// 8–128 characters.
    #[garde(custom(is_password))]
    pub password: SecretString,
    /// 1–80 characters.
    #[garde(length(chars, min = 1, max = 80), custom(without_nul))]
    pub name: String,
}

/// A change of a user. Absent fields stay.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct UserUpdate {
    /// 1–80 characters.
    #[serde(default, deserialize_with = "present")]
    #[garde(inner(length(chars, min = 1, max = 80), custom(without_nul)))]
    pub name: Option<String>,
    /// Converted to lower case.
    #[serde(default, deserialize_with = "lower_case_if_present")]
    #[garde(inner(email, length(chars, max = 254)))]
    pub email: Option<String>,
    /// 8–128 characters.
    #[serde(default, deserialize_with = "present")]
    #[garde(inner(custom(is_password)))]
    pub password: Option<SecretString>,
    /// Required where users change their own e-mail address or password.
    #[serde(default, deserialize_with = "present")]
    #[garde(skip)]
    pub current_password: Option<SecretString>,
}

/// A user, as the user and superusers see it.
#[derive(Debug, Serialize)]
pub struct UserRead {
    /// The user's id.
    pub id: i64,
    /// The name in addresses. It never changes.
    pub username: String,
    /// The e-mail address.
    pub email: String,
    /// The name that is shown.
    pub name: String,
    /// Whether the user has all rights.
    pub is_superuser: bool,
    /// The time of signing up.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// A user, as everybody sees it.
#[derive(Debug, Serialize)]
pub struct UserProfile {
    /// The user's id.
    pub id: i64,
    /// The name in addresses.
    pub username: String,
    /// The name that is shown.
    pub name: String,
    /// The time of signing up.
    pub created_at: DateTime<Utc>,
}

fn lower_case<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?.to_lowercase())
}

fn lower_case_if_present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    lower_case(deserializer).map(Some)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the context by reference"
)]
fn is_username(name: &str, _: &()) -> garde::Result {
    if name == "me" {
        Err(garde::Error::new("`me` is reserved"))
    } else if Username::is_possible(name) {
        Ok(())
    } else {
        Err(garde::Error::new("must be 2 to 32 of a-z, 0-9 and `_`"))
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the context by reference"
)]
fn is_password(password: &SecretString, _: &()) -> garde::Result {
    if is_acceptable_password(password) {
        Ok(())
    } else {
        Err(garde::Error::new("must have 8 to 128 characters"))
    }
}
