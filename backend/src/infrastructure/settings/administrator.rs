//! The settings of the first superuser (`ADMIN_*`).
//!
//! Come here to add or change such a setting. The superuser is created in `startup`.

use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;

use super::variable::{Kind, Section, Variable};
use crate::password_rule::check_password;

/// The variables of the first superuser.
pub(super) const SECTION: Section = Section {
    title: "First superuser",
    variables: &[
        Variable {
            name: "ADMIN_USERNAME",
            kind: Kind::Text(
                "2 to 32 of a-z, 0-9 and `_`, together with ADMIN_EMAIL and ADMIN_PASSWORD",
            ),
            default: "",
            meaning: "Username of the superuser that `serve` creates if there is none of that name",
        },
        Variable {
            name: "ADMIN_EMAIL",
            kind: Kind::Text("an e-mail address, together with ADMIN_USERNAME and ADMIN_PASSWORD"),
            default: "",
            meaning: "E-mail address of that superuser",
        },
        Variable {
            name: "ADMIN_PASSWORD",
            kind: Kind::Secret(
                "8 to 128 characters, not a common password, together with ADMIN_USERNAME and ADMIN_EMAIL",
            ),
            default: "",
            meaning: "Password of that superuser",
        },
    ],
};

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

impl AdministratorSettings {
    /// Why the password is refused for this superuser: it contains the superuser's name or address.
    pub(super) fn refusal_of_password(&self) -> Option<&'static str> {
        let names = [&self.admin_username, &self.admin_email];
        let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
        check_password(self.admin_password.as_ref()?, &names).err()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the context by reference"
)]
#[expect(clippy::ref_option, reason = "garde passes the field by reference")]
fn is_password(password: &Option<SecretString>, _: &()) -> garde::Result {
    match password {
        Some(password) => check_password(password, &[]).map_err(garde::Error::new),
        None => Ok(()),
    }
}
