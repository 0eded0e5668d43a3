//! The head of every stored value: its first bytes, the only part that a backend may read.
//!
//! Come here when the format of values changes. The rest of a value is written and read in `stored`.

/// The length of the unique head of every stored value, in bytes: `cache/3 ` and 16 hexadecimal digits.
pub const HEAD_BYTES: usize = 24;

/// The beginning of every value of this cache.
pub const MAGIC: &[u8] = b"cache/3 ";
