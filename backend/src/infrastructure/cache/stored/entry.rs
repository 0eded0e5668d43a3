//! Entries and claims: one readable line of metadata, then the body as it was sent (C25).
//!
//! ```text
//! cache/3 9f86d081884c7d65 1c291ca3 key=5b1e7f2a90c4d683 length=13 status=200 … etag="5d41" content-type=application/json⏎
//! {"count": 41}
//! ```
//!
//! The line begins with the format's version, the value's unique id and the CRC-32 of the bytes behind
//! it. Then come the fields of [`Metadata`] in their order and the handler's own headers, with
//! percent-encoding for the bytes that would end a field. A hit reads the line, so it is made to be read
//! in one pass and without copying. Before `etag=`, a compressed body has a field `zstd=` with its size before. A value that is truncated, damaged, foreign or of another version
//! does not parse, and counts as a miss. A *claim*, by which only one reader may fill the key, is a line of
//! its own: `cache/3 {id} claim {hash of the key} {milliseconds since the epoch} {generation}
//! {stamp}`.
//!
//! Come here to change the fields of an entry or a claim. `write` and `parse` turn them into bytes and
//! back.

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;

use super::belonging::Belonging;

pub(super) const MAGIC: &str = "cache/3 ";

/// The id of one stored value: a random number for each claim and each entry, never used again.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct ValueId(pub(crate) u64);

impl ValueId {
    /// A new id.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

/// A complete answer and its metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The id of this value.
    pub id: ValueId,
    /// All data but the body.
    pub metadata: Metadata,
    /// The body, byte for byte.
    pub body: Bytes,
}

/// The metadata line.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The hash of the key that the entry was stored under (C63).
    pub key: u64,
    /// The size of the stored body, in bytes.
    pub length: usize,
    /// The size of the body as its handler sent it, in bytes, where the stored one is compressed.
    pub plain_length: Option<usize>,
    /// The HTTP status code.
    pub status: u16,
    /// The time of storing: milliseconds since the Unix epoch.
    pub stored: u64,
    /// The duration of freshness, from `stored` on: milliseconds.
    pub fresh: u64,
    /// The time that the handler took: milliseconds.
    pub cost: u64,
    /// The namespace's generation when the handler was about to run.
    pub generation: u64,
    /// The records and rights of the entry when the handler was about to run.
    pub belonging: Belonging,
    /// The strong entity tag, with its quotes.
    pub etag: HeaderValue,
    /// The handler's own headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Metadata {
    /// The end of freshness: milliseconds since the Unix epoch.
    pub fn fresh_until(&self) -> u64 {
        self.stored.saturating_add(self.fresh)
    }
}

/// A value under a key.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredValue {
    /// A complete answer.
    Entry(Entry),
    /// A claim: a reader is filling the key.
    Claim(Claim),
}

/// The claim of a reader: only this reader may fill the key, until the claim expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The claim's id.
    pub id: ValueId,
    /// The hash of the key that is claimed (C63).
    pub key: u64,
    /// The time of creation: milliseconds since the Unix epoch.
    pub created: u64,
    /// The namespace's generation at the time of creation.
    pub generation: u64,
    /// The stamp that the entry will have; see [`stamp`](super::stamp).
    pub stamp: u64,
}
