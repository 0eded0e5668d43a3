//! The first bytes of every stored value: all that a backend may know of what it stores.
//!
//! Come here when the format of values changes. What follows the head is written and read in `stored`.

/// How long the unique head of every stored value is, in bytes: `cache/3 ` and 16 hexadecimal digits.
pub const HEAD_BYTES: usize = 24;

/// What every value of this cache begins with.
pub const MAGIC: &[u8] = b"cache/3 ";
