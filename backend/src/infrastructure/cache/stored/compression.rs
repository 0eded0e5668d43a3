//! Compressed bodies: entries that are stored, and sent, in the coding `zstd` (RFC 8878).
//!
//! Come here to change the coding, its level, or which entries are worth it. The size from which on entries are compressed is an
//! option of the cache. Which clients get the compressed form is decided in `middleware::form`.

use std::cell::RefCell;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderValue};
use bytes::Bytes;
use zstd::bulk::Decompressor;

use super::entry::Entry;

/// The library's default: lower levels save little time, higher ones little space.
const LEVEL: i32 = 3;
/// The largest body that is decompressed, in bytes: the greatest `CACHE_MAX_BODY_BYTES`.
const LARGEST_BYTES: usize = 512 * 1024 * 1024;
/// The end of the entity tag of a compressed form, inside the quotes.
const TAG_END: &str = "-zstd\"";

thread_local! {
    /// Kept, because making it costs as much as a small body.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

impl Entry {
    /// Whether the body may be compressed: its handler did not encode it, and did not forbid it (`no-transform`, RFC 9110,
    /// section 7.7).
    pub(crate) fn may_be_compressed(&self) -> bool {
        let forbids = |value: &HeaderValue| {
            let value = value.as_bytes().to_ascii_lowercase();
            memchr::memmem::find(&value, b"no-transform").is_some()
        };
        self.metadata.plain_length.is_none()
            && !self.metadata.headers.iter().any(|(name, value)| {
                *name == CONTENT_ENCODING || (*name == CACHE_CONTROL && forbids(value))
            })
    }

    /// The same entry with its body in the form of [`compress`].
    pub(crate) fn with_compressed_body(mut self, body: Bytes) -> Self {
        self.metadata.plain_length = Some(self.body.len());
        self.metadata.length = body.len();
        self.body = body;
        self
    }

    /// The body as the handler sent it. `None` for a compressed body that is damaged.
    pub(crate) fn plain_body(&self) -> Option<Bytes> {
        match self.metadata.plain_length {
            None => Some(self.body.clone()),
            Some(length) => decompress(&self.body, length),
        }
    }
}

/// The compressed form of a body; `None` where it saves less than a tenth. It takes some microseconds for a KiB, so it does not
/// belong on a worker.
pub(crate) fn compress(body: &[u8]) -> Option<Bytes> {
    let compressed = zstd::bulk::compress(body, LEVEL).ok()?;
    (compressed.len() <= body.len() - body.len() / 10).then(|| Bytes::from(compressed))
}

fn decompress(body: &[u8], length: usize) -> Option<Bytes> {
    if length > LARGEST_BYTES {
        return None;
    }
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(Decompressor::new().ok()?),
        };
        let plain = decompressor.decompress(body, length).ok()?;
        (plain.len() == length).then(|| Bytes::from(plain))
    })
}

/// The entity tag of the compressed form of an answer with this tag. Two forms of one answer have different tags (RFC 9110,
/// section 8.8.3.3).
#[must_use]
pub fn compressed_entity_tag(plain: &HeaderValue) -> HeaderValue {
    let tag = plain.as_bytes();
    let opened = tag.strip_suffix(b"\"").unwrap_or(tag);
    HeaderValue::from_bytes(&[opened, TAG_END.as_bytes()].concat())
        .unwrap_or_else(|_| plain.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_compressed_body_is_the_same_when_it_is_decompressed(
            part in proptest::collection::vec(any::<u8>(), 1..64), times in 1_usize..500
        ) {
            let body = part.repeat(times);
            if let Some(compressed) = compress(&body) {
                prop_assert!(compressed.len() < body.len());
                prop_assert_eq!(decompress(&compressed, body.len()), Some(body.into()));
            }
        }
    }

    #[test]
    fn a_body_that_does_not_become_smaller_is_not_compressed() {
        for body in ["", "x", "0123456789abcdef"] {
            assert_eq!(compress(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_damaged_body_is_not_decompressed() {
        let body = "A widget like any other. ".repeat(100);
        let compressed = compress(body.as_bytes()).unwrap();
        assert_eq!(decompress(&compressed[1..], body.len()), None);
        assert_eq!(decompress(&compressed, body.len() - 1), None);
        assert_eq!(decompress(&compressed, body.len() + 1), None);
        // The kept context still works.
        assert_eq!(decompress(&compressed, body.len()), Some(body.into()));
    }

    #[test]
    fn the_forms_of_an_answer_have_different_tags() {
        for (plain, compressed) in [("\"abc\"", "\"abc-zstd\""), ("W/\"abc\"", "W/\"abc-zstd\"")] {
            let tag = compressed_entity_tag(&HeaderValue::from_static(plain));
            assert_eq!(tag, compressed);
        }
    }
}
