//! The settings of accounts (`SIGN_UP`).
//!
//! Come here to add or change such a setting. The rules of accounts are in the module `users`.

use garde::Validate;
use serde::Deserialize;

use super::variable::{Kind, Section, Variable};

/// Who may make an account.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    /// Everybody.
    Open,
    /// Superusers.
    Closed,
}

/// The variables of accounts.
pub(super) const SECTION: Section = Section {
    title: "Accounts",
    variables: &[Variable {
        name: "SIGN_UP",
        kind: Kind::Choice(&["open", "closed"]),
        default: "open",
        meaning: "Who may make an account: everybody, or superusers only",
    }],
};

/// Settings of accounts.
#[derive(Clone, Debug, Deserialize, Validate)]
#[serde(default)]
pub struct AccountSettings {
    /// `SIGN_UP`: who may make an account.
    #[garde(skip)]
    pub sign_up: SignUp,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            sign_up: SignUp::Open,
        }
    }
}
