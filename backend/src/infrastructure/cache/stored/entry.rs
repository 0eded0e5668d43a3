//! What is stored under a key: one readable line of metadata, then the body as it was sent (C25).
//!
//! ```text
//! cache/2 9f86d081884c7d65 1c291ca3 length=13 status=200 … etag="5d41" content-type=application/json⏎
//! {"count": 41}
//! ```
//!
//! The line begins with the format's version, the value's unique id and the CRC-32 of all that
//! follows it. Then come the fields of [`Metadata`] in their order and the handler's own headers, with
//! what would end a field percent-encoded. A hit reads the line, so it is made to be read in one pass
//! and without copying. A value that is truncated, damaged, foreign or of another version does not
//! parse, and what does not parse is a miss. A *claim*, the promise of one reader to fill the key, is a
//! line of its own: `cache/2 {id} claim {milliseconds since the epoch} {generation} {group's generation}`.

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};

use super::backends::HEAD_BYTES;

const MAGIC: &str = "cache/2 ";
/// What would end a field, or be taken for an encoded byte.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

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
#[derive(Clone, Debug, PartialEq)]
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
    pub group: Option<GroupStamp>,
    /// The strong entity tag, with its quotes.
    pub etag: HeaderValue,
    /// The handler's own headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Membership of an entry in one generation of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    let mut line = String::with_capacity(96);
    push_hexadecimal(&mut line, MAGIC, claim.id.0);
    push_decimal(&mut line, " claim ", claim.created);
    push_hexadecimal(&mut line, " ", claim.generation);
    push_hexadecimal(&mut line, " ", claim.group_generation);
    line.push('\n');
    Bytes::from(line)
}

/// Writes an entry.
pub fn write_entry(entry: &Entry) -> Bytes {
    let metadata = &entry.metadata;
    let mut line = String::with_capacity(256);
    push_decimal(&mut line, "length=", metadata.length as u64);
    push_decimal(&mut line, " status=", metadata.status.into());
    push_decimal(&mut line, " stored=", metadata.stored);
    push_decimal(&mut line, " fresh=", metadata.fresh);
    push_decimal(&mut line, " cost=", metadata.cost);
    push_hexadecimal(&mut line, " generation=", metadata.generation);
    if let Some(group) = &metadata.group {
        push_hexadecimal(&mut line, " group_generation=", group.generation);
        push_encoded(&mut line, " group=", group.name.as_bytes());
    }
    push_encoded(&mut line, " etag=", metadata.etag.as_bytes());
    for (name, value) in &metadata.headers {
        line.push(' ');
        line.push_str(name.as_str());
        push_encoded(&mut line, "=", value.as_bytes());
    }
    line.push('\n');
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(line.as_bytes());
    checksum.update(&entry.body);
    let checksum = u64::from(checksum.finalize()) << 32;
    let mut head = String::with_capacity(HEAD_BYTES + 17);
    push_hexadecimal(&mut head, MAGIC, entry.id.0);
    push_hexadecimal(&mut head, " ", checksum);
    // A checksum has half as many digits.
    head.truncate(HEAD_BYTES + 9);
    head.push(' ');
    // Of exactly this size, since it may be kept in memory.
    Bytes::from([head.as_bytes(), line.as_bytes(), &entry.body].concat())
}

// The formatter of the standard library takes several times as long for what every miss writes.

fn push_decimal(line: &mut String, name: &str, number: u64) {
    line.push_str(name);
    line.push_str(itoa::Buffer::new().format(number));
}

/// Appends a number in 16 hexadecimal digits.
fn push_hexadecimal(line: &mut String, name: &str, number: u64) {
    line.push_str(name);
    for shift in (0..16).rev() {
        let digit = number >> (4 * shift) & 0xf;
        line.push(char::from(b"0123456789abcdef"[digit as usize]));
    }
}

fn push_encoded(line: &mut String, name: &str, bytes: &[u8]) {
    line.push_str(name);
    line.extend(percent_encode(bytes, ENCODED));
}

/// Reads what a backend holds; `None` for anything that is not whole and ours.
pub fn read_value(value: &Bytes) -> Option<StoredValue> {
    let text = value.get(..HEAD_BYTES)?;
    let id = ValueId(hexadecimal(text.strip_prefix(MAGIC.as_bytes())?)?);
    let rest = value.get(HEAD_BYTES..)?.strip_prefix(b" ")?;
    if let Some(text) = rest.strip_prefix(b"claim ") {
        return read_claim(id, text).map(StoredValue::Claim);
    }
    let checksum = hexadecimal(rest.get(..8)?)?;
    let content = rest.get(8..)?.strip_prefix(b" ")?;
    if u64::from(crc32fast::hash(content)) != checksum {
        return None;
    }
    let line_end = memchr::memchr(b'\n', content)?;
    let body = value.slice(value.len() - (content.len() - line_end - 1)..);
    let fields = Fields {
        rest: content.get(..line_end)?,
        value,
    };
    let metadata = read_metadata(fields)?;
    (body.len() == metadata.length).then_some(StoredValue::Entry(Entry { id, metadata, body }))
}

/// Reads what follows `claim ` in a claim's line.
fn read_claim(id: ValueId, text: &[u8]) -> Option<Claim> {
    let mut fields = Fields {
        rest: text.strip_suffix(b"\n")?,
        value: &Bytes::new(),
    };
    let claim = Claim {
        id,
        created: fields.decimal(b"")?,
        generation: fields.hexadecimal(b"")?,
        group_generation: fields.hexadecimal(b"")?,
    };
    fields.rest.is_empty().then_some(claim)
}

fn read_metadata(mut fields: Fields<'_>) -> Option<Metadata> {
    Some(Metadata {
        length: usize::try_from(fields.decimal(b"length=")?).ok()?,
        status: u16::try_from(fields.decimal(b"status=")?).ok()?,
        stored: fields.decimal(b"stored=")?,
        fresh: fields.decimal(b"fresh=")?,
        cost: fields.decimal(b"cost=")?,
        generation: fields.hexadecimal(b"generation=")?,
        group: match fields.hexadecimal(b"group_generation=") {
            Some(generation) => Some(GroupStamp {
                generation,
                name: String::from_utf8(fields.bytes(b"group=")?.into()).ok()?,
            }),
            None => None,
        },
        etag: HeaderValue::from_maybe_shared(fields.bytes(b"etag=")?).ok()?,
        headers: fields.headers()?,
    })
}

/// What is left of a line of fields. The names have sizes known to the compiler: comparing them is then
/// no call of a function, of which a hit would make a dozen.
struct Fields<'a> {
    rest: &'a [u8],
    /// The whole value, of which what is read are slices.
    value: &'a Bytes,
}

impl Fields<'_> {
    /// The number in the next field, if it has this name.
    fn decimal<const LENGTH: usize>(&mut self, name: &[u8; LENGTH]) -> Option<u64> {
        let rest = self.rest.strip_prefix(name)?;
        let mut number = 0_u64;
        let mut length = 0;
        while let Some(digit @ b'0'..=b'9') = rest.get(length) {
            number = number
                .checked_mul(10)?
                .checked_add(u64::from(digit - b'0'))?;
            length += 1;
        }
        self.rest = match rest.get(length) {
            Some(b' ') => &rest[length + 1..],
            Some(_) => return None,
            None => &[],
        };
        (length > 0).then_some(number)
    }

    /// The number of 16 hexadecimal digits in the next field, if it has this name.
    fn hexadecimal<const LENGTH: usize>(&mut self, name: &[u8; LENGTH]) -> Option<u64> {
        let rest = self.rest.strip_prefix(name)?;
        let (digits, rest) = rest.split_at_checked(16)?;
        self.rest = match rest {
            [b' ', rest @ ..] => rest,
            [] => &[],
            _ => return None,
        };
        hexadecimal(digits)
    }

    /// The bytes that stand encoded in the next field, if it has this name.
    fn bytes<const LENGTH: usize>(&mut self, name: &[u8; LENGTH]) -> Option<Bytes> {
        let rest = self.rest.strip_prefix(name)?;
        let special = memchr::memchr2(b' ', b'%', rest).unwrap_or(rest.len());
        let is_encoded = rest.get(special) == Some(&b'%');
        let end = if is_encoded {
            memchr::memchr(b' ', rest).unwrap_or(rest.len())
        } else {
            special
        };
        self.rest = rest.get(end + 1..).unwrap_or_default();
        let field = &rest[..end];
        Some(if is_encoded {
            percent_decode(field).collect::<Vec<_>>().into()
        } else {
            self.value.slice_ref(field)
        })
    }

    /// The headers: all that is left.
    fn headers(mut self) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let mut headers = Vec::new();
        while !self.rest.is_empty() {
            let (name, value) = self.rest.split_at(memchr::memchr(b'=', self.rest)?);
            self.rest = value;
            let name = HeaderName::from_bytes(name).ok()?;
            let value = HeaderValue::from_maybe_shared(self.bytes(b"=")?).ok()?;
            headers.push((name, value));
        }
        Some(headers)
    }
}

/// Lower-case hexadecimal digits as a number.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
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
    use actix_web::http::header::CONTENT_TYPE;
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
                etag: HeaderValue::from_static("\"abc\""),
                headers: vec![
                    (
                        CONTENT_TYPE,
                        HeaderValue::from_static("text/plain; charset=utf-8"),
                    ),
                    (
                        HeaderName::from_static("x-odd"),
                        HeaderValue::from_bytes(b"a%20b\t\xff=").unwrap(),
                    ),
                ],
            },
            body: Bytes::copy_from_slice(body),
        }
    }

    #[test]
    fn c25_an_entry_is_a_readable_line_and_then_the_body() {
        let value = write_entry(&entry(b"{\"count\": 41}"));
        let text = String::from_utf8(value.to_vec()).unwrap();
        let (line, body) = text.split_once('\n').unwrap();
        assert!(line.starts_with("cache/2 9f86d081884c7d65 "), "{line}");
        assert!(line.contains(" length=13 status=200 "), "{line}");
        assert!(
            line.contains(" content-type=text/plain;%20charset=utf-8 "),
            "{line}"
        );
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
        let value = write_entry(&entry(b"body with\nlines"));
        for length in 0..value.len() {
            assert_eq!(read_value(&value.slice(..length)), None, "cut at {length}");
        }
    }

    #[test]
    fn c25_every_flipped_bit_is_a_miss_or_another_id() {
        let original = entry(b"0123456789");
        let value = write_entry(&original);
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
            prop_assert_eq!(read_value(&write_entry(&entry)), Some(StoredValue::Entry(entry)));
        }

        #[test]
        fn c25_foreign_bytes_are_a_miss(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read_value(&Bytes::from(bytes)), None);
        }
    }
}
