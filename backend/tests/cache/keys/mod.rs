//! How a key is built (C1–C7).
//! Come here when a key differs from what was expected.

mod arguments;
#[expect(
    clippy::module_inception,
    reason = "the room and its first file are both the keys"
)]
mod keys;
mod unusual_ids;
