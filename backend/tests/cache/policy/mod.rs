//! Policies: the requests that may use the cache (C13, C14), the words of a write, and the entries that
//! one write ends (C44). Come here when a read is bypassed, or when a write leaves an entry of another
//! caller or query behind.

mod invalidations;
mod queries;
mod query_fields;
mod rights;
mod variants;
