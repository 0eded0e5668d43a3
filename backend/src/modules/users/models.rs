//! Rows as the queries return them.
//!
//! Come here to change a row. Answers to clients are in `schemas`, not here.

use crate::infrastructure::security_log::Subject;

/// The data that are checked before a user is changed, and when a user signs in.
pub struct Account {
    /// The user's id.
    pub id: i64,
    /// The name in addresses.
    pub username: String,
    /// The hash of the password.
    pub password_hash: String,
}

impl Account {
    /// The account in the security log.
    pub fn subject(&self) -> Subject<'_> {
        Subject::Account {
            id: self.id,
            username: &self.username,
        }
    }
}

/// An account that has lost its e-mail address, name and password hash.
pub struct ErasedAccount {
    /// The user's id.
    pub id: i64,
    /// The username, which stays taken.
    pub username: String,
}

impl ErasedAccount {
    /// The account in the security log.
    pub fn subject(&self) -> Subject<'_> {
        Subject::Account {
            id: self.id,
            username: &self.username,
        }
    }
}
