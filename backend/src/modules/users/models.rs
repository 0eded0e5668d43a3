//! Rows as the queries return them.
//!
//! Come here to change a row. Answers to clients are in `schemas`, not here.

/// The data that are checked before a user is changed, and when a user signs in.
pub struct Account {
    /// The user's id.
    pub id: i64,
    /// The hash of the password.
    pub password_hash: String,
}
