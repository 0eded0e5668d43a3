//! The settings of accounts (`SIGN_UP`, `ACCOUNT_ERASURE_DAYS`).
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
    variables: &[
        Variable {
            name: "SIGN_UP",
            kind: Kind::Choice(&["open", "closed"]),
            default: "open",
            meaning: "Who may make an account: everybody, or superusers only",
        },
        Variable {
            name: "ACCOUNT_ERASURE_DAYS",
            kind: Kind::number("days", 1, 36_500),
            default: "30",
            meaning: "Days after the deletion of an account until its e-mail address, name and password hash are erased",
        },
    ],
};

/// Settings of accounts.
#[derive(Clone, Debug, Deserialize, Validate)]
#[serde(default)]
pub struct AccountSettings {
    /// `SIGN_UP`: who may make an account.
    #[garde(skip)]
    pub sign_up: SignUp,
    /// `ACCOUNT_ERASURE_DAYS`: the days from the deletion of an account to its erasure. 1 to 36 500, 30 by default. There is no
    /// 0, which could be meant as "never".
    #[garde(range(min = 1, max = 36_500))]
    pub account_erasure_days: i32,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            sign_up: SignUp::Open,
            account_erasure_days: 30,
        }
    }
}
