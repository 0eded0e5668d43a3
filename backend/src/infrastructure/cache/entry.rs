//! What is stored under a key: one readable line of metadata, then the body as it was sent (C25).
//!
//! ```text
//! cache/1 9f86d081884c7d65 1c291ca3 {"length":13,"status":200,…}⏎
//! {"count": 41}
//! ```
//!
//! The line begins with the format's version, the value's unique id and the CRC-32 of all that
//! follows it. A value that is truncated, damaged, foreign or of another version does not parse,
//! and what does not parse is a miss. A *claim*, the promise of one reader to fill the key, is a
//! line of its own: `cache/1 {id} claim {milliseconds since the epoch} {generation} {group's generation}`.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::backends::HEAD_BYTES;

const MAGIC: &str = "cache/1 ";

/// Identifies one stored value for ever: drawn at random for each claim and each entry.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct ValueId(pub(super) u64);

impl ValueId {
    /// A new id.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

/// A complete answer and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Which value this is.
    pub id: ValueId,
    /// All but the body.
    pub metadata: Metadata,
    /// The body, byte for byte.
    pub body: Bytes,
}

/// The metadata line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Bytes of the body.
    pub length: usize,
    /// HTTP status.
    pub status: u16,
    /// When it was stored: milliseconds since the Unix epoch.
    pub stored: u64,
    /// For how many milliseconds it is fresh.
    pub fresh: u64,
    /// How many milliseconds the handler took.
    pub cost: u64,
    /// The namespace's generation when the handler was about to run.
    pub generation: u64,
    /// The group and its generation when the handler was about to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupStamp>,
    /// The strong entity tag, with its quotes.
    pub etag: String,
    /// The handler's own headers.
    pub headers: Vec<(String, String)>,
}

/// Membership of an entry in one generation of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStamp {
    /// The group's name.
    pub name: String,
    /// The generation.
    pub generation: u64,
}

impl Metadata {
    /// When it stops being fresh: milliseconds since the Unix epoch.
    pub fn fresh_until(&self) -> u64 {
        self.stored.saturating_add(self.fresh)
    }
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredValue {
    /// An answer.
    Entry(Entry),
    /// A reader is filling the key.
    Claim(Claim),
}

/// The promise of one reader to fill a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The claim's id, which the entry that fills it takes over.
    pub id: ValueId,
    /// When it was made: milliseconds since the Unix epoch.
    pub created: u64,
    /// The namespace's generation when it was made.
    pub generation: u64,
    /// The group's generation when it was made; 0 without a group.
    pub group_generation: u64,
}

/// Writes a claim.
pub fn write_claim(claim: &Claim) -> Bytes {
    let Claim {
        id: ValueId(id),
        created,
        generation,
        group_generation,
    } = claim;
    Bytes::from(format!(
        "{MAGIC}{id:016x} claim {created} {generation:016x} {group_generation:016x}\n"
    ))
}

/// Reads what follows `claim ` in a claim's line.
fn read_claim(id: ValueId, text: &[u8]) -> Option<Claim> {
    let mut words = std::str::from_utf8(text.strip_suffix(b"\n")?)
        .ok()?
        .split(' ');
    let claim = Claim {
        id,
        created: words.next()?.parse().ok()?,
        generation: parse_hexadecimal(words.next()?.as_bytes())?,
        group_generation: parse_hexadecimal(words.next()?.as_bytes())?,
    };
    words.next().is_none().then_some(claim)
}

/// Writes an entry; `None` where the metadata cannot be written as text.
pub fn write_entry(entry: &Entry) -> Option<Bytes> {
    let metadata = serde_json::to_vec(&entry.metadata).ok()?;
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&metadata);
    checksum.update(b"\n");
    checksum.update(&entry.body);
    let head = format!("{MAGIC}{:016x} {:08x} ", entry.id.0, checksum.finalize());
    let mut value = BytesMut::with_capacity(head.len() + metadata.len() + 1 + entry.body.len());
    value.put_slice(head.as_bytes());
    value.put_slice(&metadata);
    value.put_u8(b'\n');
    value.put_slice(&entry.body);
    Some(value.freeze())
}

/// Reads what a backend holds; `None` for anything that is not whole and ours.
pub fn read_value(value: &Bytes) -> Option<StoredValue> {
    let text = value.get(..HEAD_BYTES)?;
    let id = ValueId(parse_hexadecimal(text.strip_prefix(MAGIC.as_bytes())?)?);
    let rest = value.get(HEAD_BYTES..)?.strip_prefix(b" ")?;
    if let Some(text) = rest.strip_prefix(b"claim ") {
        return read_claim(id, text).map(StoredValue::Claim);
    }
    let checksum = parse_hexadecimal(rest.get(..8)?)?;
    let content = rest.get(8..)?.strip_prefix(b" ")?;
    if u64::from(crc32fast::hash(content)) != checksum {
        return None;
    }
    let line_end = content.iter().position(|byte| *byte == b'\n')?;
    let metadata: Metadata = serde_json::from_slice(content.get(..line_end)?).ok()?;
    let body = value.slice(value.len() - (content.len() - line_end - 1)..);
    (body.len() == metadata.length).then_some(StoredValue::Entry(Entry { id, metadata, body }))
}

/// Lower-case hexadecimal digits as a number.
fn parse_hexadecimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(body: &[u8]) -> Entry {
        Entry {
            id: ValueId(0x9f86_d081_884c_7d65),
            metadata: Metadata {
                length: body.len(),
                status: 200,
                stored: 1_700_000_000_000,
                fresh: 600_000,
                cost: 3,
                generation: 7,
                group: Some(GroupStamp {
                    name: "widget_search".to_owned(),
                    generation: 9,
                }),
                etag: "\"abc\"".to_owned(),
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            },
            body: Bytes::copy_from_slice(body),
        }
    }

    #[test]
    fn c25_an_entry_is_a_readable_line_and_then_the_body() {
        let value = write_entry(&entry(b"{\"count\": 41}")).unwrap();
        let text = String::from_utf8(value.to_vec()).unwrap();
        let (line, body) = text.split_once('\n').unwrap();
        assert!(line.starts_with("cache/1 9f86d081884c7d65 "), "{line}");
        assert!(line.contains("\"length\":13"), "{line}");
        assert_eq!(body, "{\"count\": 41}");
    }

    #[test]
    fn c25_a_claim_is_read_back() {
        let claim = Claim {
            id: ValueId::random(),
            created: 12,
            generation: u64::MAX,
            group_generation: 0,
        };
        assert_eq!(
            read_value(&write_claim(&claim)),
            Some(StoredValue::Claim(claim))
        );
    }

    #[test]
    fn c25_every_truncated_entry_is_a_miss() {
        let value = write_entry(&entry(b"body with\nlines")).unwrap();
        for length in 0..value.len() {
            assert_eq!(read_value(&value.slice(..length)), None, "cut at {length}");
        }
    }

    #[test]
    fn c25_every_flipped_bit_is_a_miss_or_another_id() {
        let original = entry(b"0123456789");
        let value = write_entry(&original).unwrap();
        for position in 0..value.len() * 8 {
            let mut damaged = value.to_vec();
            damaged[position / 8] ^= 1 << (position % 8);
            if let Some(StoredValue::Entry(read)) = read_value(&Bytes::from(damaged)) {
                // The id is not data: it only says which value this is.
                assert_ne!(read.id, original.id);
                assert_eq!(read.metadata, original.metadata);
                assert_eq!(read.body, original.body);
            }
        }
    }

    proptest! {
        #[test]
        fn c25_what_is_written_is_read_back(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let entry = entry(&body);
            prop_assert_eq!(read_value(&write_entry(&entry).unwrap()), Some(StoredValue::Entry(entry)));
        }

        #[test]
        fn c25_foreign_bytes_are_a_miss(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read_value(&Bytes::from(bytes)), None);
        }
    }
}
