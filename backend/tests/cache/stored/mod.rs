//! The values under keys (C25). Come here when the format of stored values changes.

mod entry;
