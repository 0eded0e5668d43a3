//! Input and output of `/users`.
//!
//! Come here to change a field or its bounds. Nothing is decided here.

use chrono::{DateTime, Utc};
use garde::Validate;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};

use crate::infrastructure::auth::Username;
use crate::infrastructure::http::{present, without_nul};
use crate::infrastructure::password_rule::{AcceptablePassword, Password, check_password};

/// A new user.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// 2–32 of `[a-z0-9_]`; not `me`.
    #[garde(custom(is_username))]
    #[schemars(with = "Username")]
    pub username: String,
    /// Converted to lower case.
    #[serde(deserialize_with = "lower_case")]
    #[garde(email, length(chars, max = 254))]
    pub email: String,
    /// 8–128 characters. Not a common password, and without the user's name or address.
    #[garde(custom(is_password(&[self.username.as_str(), self.email.as_str(), self.name.as_str()])))]
    #[schemars(with = "AcceptablePassword")]
    pub password: SecretString,
    /// 1–80 characters.
    #[garde(length(chars, min = 1, max = 80), custom(without_nul))]
    #[schemars(example = &"Ada Lovelace")]
    pub name: String,
}

/// A change of a user. Absent fields stay.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct UserUpdate {
    /// 1–80 characters.
    #[serde(default, deserialize_with = "present")]
    #[garde(length(chars, min = 1, max = 80), inner(custom(without_nul)))]
    #[schemars(with = "String", example = &"Ada King")]
    pub name: Option<String>,
    /// Converted to lower case.
    #[serde(default, deserialize_with = "lower_case_if_present")]
    #[garde(email, length(chars, max = 254))]
    #[schemars(with = "String")]
    pub email: Option<String>,
    /// 8–128 characters. Not a common password, and without the user's name or address.
    //
    // The names are checked in `service`, where the account is known.
    #[serde(default, deserialize_with = "present")]
    #[garde(inner(custom(is_password(&[]))))]
    #[schemars(with = "AcceptablePassword")]
    pub password: Option<SecretString>,
    /// Required where users change their own e-mail address or password.
    #[serde(default, deserialize_with = "present")]
    #[garde(skip)]
    #[schemars(with = "Password")]
    pub current_password: Option<SecretString>,
    /// The role. Superusers change it.
    #[serde(default, deserialize_with = "present")]
    #[garde(skip)]
    #[schemars(with = "bool")]
    pub is_superuser: Option<bool>,
}

impl UserUpdate {
    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.name.is_none()
            && self.email.is_none()
            && self.password.is_none()
            && self.is_superuser.is_none()
    }
}

/// A user, as the user and superusers see it.
#[derive(Debug, JsonSchema, Serialize)]
pub struct UserRead {
    /// The user's id.
    pub id: i64,
    /// The name in addresses. It never changes.
    #[schemars(example = &"ada")]
    pub username: String,
    /// The e-mail address.
    #[schemars(example = &"ada@example.com")]
    pub email: String,
    /// The name that is shown.
    #[schemars(example = &"Ada Lovelace")]
    pub name: String,
    /// Whether the user has all rights.
    pub is_superuser: bool,
    /// The time of signing up.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// A user, as everybody sees it.
#[derive(Debug, JsonSchema, Serialize)]
pub struct UserProfile {
    /// The user's id.
    pub id: i64,
    /// The name in addresses.
    #[schemars(example = &"ada")]
    pub username: String,
    /// The name that is shown.
    #[schemars(example = &"Ada Lovelace")]
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

fn is_password(names: &[&str]) -> impl FnOnce(&SecretString, &()) -> garde::Result {
    move |password, ()| check_password(password, names).map_err(garde::Error::new)
}
