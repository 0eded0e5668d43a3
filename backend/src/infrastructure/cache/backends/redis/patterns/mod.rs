//! Deletions by pattern: the index of keys, and the commands that use it (C37).
//!
//! Come here when a deletion by pattern is slow or misses a key. Values are not stored here: see `set`.

mod delete;
mod index;

pub(super) use delete::PatternDeletions;
pub(super) use index::{PatternIndex, enter};
