//! Building of keys (C1–C7). Come here when a key is not the expected one.

mod arguments;
#[expect(
    clippy::module_inception,
    reason = "the folder and its first file are both the keys"
)]
mod keys;
mod unusual_ids;
