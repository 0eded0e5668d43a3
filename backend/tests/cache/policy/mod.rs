//! Which requests a policy lets into the cache (C13, C14), and what one write ends of them (C44).
//! Come here when a read is bypassed, or when a write leaves an entry of another caller or query behind.

mod queries;
mod rights;
mod variants;
