//! Rows of the queries.
//!
//! Come here to change a row. Answers to clients are in `schemas`.

/// The data that decide who may change a widget.
#[derive(Debug)]
pub struct Ownership {
    /// The user it belongs to.
    pub owner_id: i64,
    /// The name of that user.
    pub owner: String,
}
