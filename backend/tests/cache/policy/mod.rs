//! Which requests a policy lets into the cache (C13, C14).
//! Come here when a read is bypassed.

mod queries;
mod variants;
