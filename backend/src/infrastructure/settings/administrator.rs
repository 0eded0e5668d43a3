//! The first superuser (`ADMIN_*`).

use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;

use crate::infrastructure::auth::Passwords;

/// The superuser that `serve` creates if there is none of that name. All three or none.
#[derive(Clone, Debug, Default, Deserialize, Validate)]
#[serde(default)]
pub struct AdministratorSettings {
    /// `ADMIN_USERNAME`.
    #[garde(inner(length(min = 2, max = 32), pattern("^[a-z0-9_]+$")))]
    pub admin_username: Option<String>,
    /// `ADMIN_EMAIL`.
    #[garde(inner(email, length(max = 254)))]
    pub admin_email: Option<String>,
    /// `ADMIN_PASSWORD`.
    #[garde(custom(is_password))]
    pub admin_password: Option<SecretString>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the context by reference"
)]
#[expect(clippy::ref_option, reason = "garde passes the field by reference")]
fn is_password(password: &Option<SecretString>, _: &()) -> garde::Result {
    if password.as_ref().is_none_or(Passwords::is_acceptable) {
        Ok(())
    } else {
        Err(garde::Error::new("not 8 to 128 characters"))
    }
}
