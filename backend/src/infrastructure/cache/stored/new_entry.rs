//! Making an entry from a complete answer.
//!
//! Come here to change the metadata of an entry. Which answers may be stored is decided in
//! `middleware::response`.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;

use super::belonging::Belonging;
use super::entry::{Entry, Metadata, ValueId};

/// A handler's answer with its complete body in memory.
pub(crate) struct CompleteAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) etag: HeaderValue,
    pub(crate) body: Bytes,
}

/// The metadata of an entry that the answer does not contain.
pub(crate) struct Provenance {
    /// The hash of the key of the entry.
    pub(crate) key: u64,
    pub(crate) id: ValueId,
    pub(crate) stored: u64,
    pub(crate) fresh: u64,
    pub(crate) cost: u64,
    pub(crate) generation: u64,
    pub(crate) belonging: Belonging,
}

impl CompleteAnswer {
    /// The entry for this answer.
    pub(crate) fn into_entry(self, provenance: Provenance) -> Entry {
        Entry {
            id: provenance.id,
            metadata: Metadata {
                key: provenance.key,
                length: self.body.len(),
                plain_length: None,
                status: self.status.as_u16(),
                stored: provenance.stored,
                fresh: provenance.fresh,
                cost: provenance.cost,
                generation: provenance.generation,
                belonging: provenance.belonging,
                etag: self.etag,
                headers: self.headers,
            },
            body: self.body,
        }
    }
}

/// The strong `ETag` that answers of cached routes with this body carry (RFC 9110, section 8.8.3).
#[must_use]
pub fn entity_tag(body: &[u8]) -> HeaderValue {
    let hash = blake3::hash(body).to_hex();
    // Half of the hash (128 bits) is enough: two bodies do not get the same tag by accident.
    let tag = ["\"", &hash[..32], "\""].concat();
    // Hexadecimal digits in quotes are always a header value.
    HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Shortens a time by a random part of up to `percent` (C40), but not to less than a millisecond.
pub(crate) fn shortened(milliseconds: u64, percent: u8) -> u64 {
    let most = milliseconds / 100 * u64::from(percent.min(100));
    milliseconds
        .saturating_sub(rand::random_range(0..=most))
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn c40_jitter_shortens_by_at_most_its_percentage(milliseconds in 1_u64..1_000_000_000, percent in 0_u8..=100) {
            let jittered = shortened(milliseconds, percent);
            prop_assert!(jittered >= 1 && jittered <= milliseconds);
            prop_assert!(jittered + milliseconds * u64::from(percent) / 100 >= milliseconds);
        }
    }
}
