//! Parsing an entry or a claim (C25).
//!
//! Come here when a stored value is not recognised. A value that does not parse is a miss, never an
//! error.

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use percent_encoding::percent_decode;

use super::belonging::{Belonging, MEMBER_OF};
use super::entry::{Claim, Entry, MAGIC, Metadata, StoredValue, ValueId};
use crate::backends::head::HEAD_BYTES;

/// Parses a value from a backend; `None` for a value that is damaged or not this project's.
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

/// Parses the metadata of an entry from the first bytes of its value, for lists: the body is not there, so the checksum is not
/// compared. `None` for any other value, and where the line is longer than these bytes.
pub fn read_metadata_of_head(head: &Bytes) -> Option<(ValueId, Metadata)> {
    let text = head.get(..HEAD_BYTES)?;
    let id = ValueId(hexadecimal(text.strip_prefix(MAGIC.as_bytes())?)?);
    let rest = head.get(HEAD_BYTES..)?.strip_prefix(b" ")?;
    let content = rest.get(8..)?.strip_prefix(b" ")?;
    let line_end = memchr::memchr(b'\n', content)?;
    let fields = Fields {
        rest: content.get(..line_end)?,
        value: head,
    };
    Some((id, read_metadata(fields)?))
}

/// Parses the bytes behind `claim ` in a claim's line.
fn read_claim(id: ValueId, text: &[u8]) -> Option<Claim> {
    let mut fields = Fields {
        rest: text.strip_suffix(b"\n")?,
        value: &Bytes::new(),
    };
    let claim = Claim {
        id,
        key: fields.hexadecimal(b"")?,
        created: fields.decimal(b"")?,
        generation: fields.hexadecimal(b"")?,
        stamp: fields.hexadecimal(b"")?,
    };
    fields.rest.is_empty().then_some(claim)
}

fn read_metadata(mut fields: Fields<'_>) -> Option<Metadata> {
    Some(Metadata {
        key: fields.hexadecimal(b"key=")?,
        length: usize::try_from(fields.decimal(b"length=")?).ok()?,
        status: u16::try_from(fields.decimal(b"status=")?).ok()?,
        stored: fields.decimal(b"stored=")?,
        fresh: fields.decimal(b"fresh=")?,
        cost: fields.decimal(b"cost=")?,
        generation: fields.hexadecimal(b"generation=")?,
        belonging: match fields.hexadecimal(b"stamp=") {
            Some(stamp) => Belonging {
                stamp,
                rights: fields.decimal(b"rights="),
                records: fields.records()?,
            },
            None => Belonging::default(),
        },
        plain_length: match fields.decimal(b"zstd=") {
            Some(length) => Some(usize::try_from(length).ok()?),
            None => None,
        },
        etag: HeaderValue::from_maybe_shared(fields.bytes(b"etag=")?).ok()?,
        headers: fields.headers()?,
    })
}

/// The unread rest of a line of fields. The names are arrays, so the compiler knows their lengths and compares them
/// without a function call. A hit would make a dozen such calls.
struct Fields<'a> {
    rest: &'a [u8],
    /// The whole value. Parsed fields are slices of it.
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

    /// The decoded bytes of the next field, if it has this name.
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

    /// All next fields that name a record, still encoded.
    fn records(&mut self) -> Option<Bytes> {
        let all = self.rest;
        let mut end = 0;
        while self.rest.starts_with(MEMBER_OF.as_bytes()) {
            end = all.len() - self.rest.len() + memchr::memchr(b' ', self.rest)?;
            self.rest = all.get(end + 1..)?;
        }
        let records = all.get(..end)?;
        // An empty `Bytes` is made anew, because an empty slice would keep the whole value in memory.
        Some(if records.is_empty() {
            Bytes::new()
        } else {
            self.value.slice_ref(records)
        })
    }

    /// The headers: all remaining fields.
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
pub(super) fn hexadecimal(digits: &[u8]) -> Option<u64> {
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
    use crate::stored::write::{write_claim, write_entry};
    use actix_web::http::header::CONTENT_TYPE;
    use proptest::prelude::*;

    fn entry(body: &[u8]) -> Entry {
        Entry {
            id: ValueId(0x9f86_d081_884c_7d65),
            metadata: Metadata {
                key: 5,
                length: body.len(),
                plain_length: None,
                status: 200,
                stored: 1_700_000_000_000,
                fresh: 600_000,
                cost: 3,
                generation: 7,
                belonging: Belonging {
                    stamp: 9,
                    rights: Some(3),
                    records: "member_of=~resource:a%20b:7 member_of=~group:lists".into(),
                },
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
        assert!(line.starts_with("cache/3 9f86d081884c7d65 "), "{line}");
        assert!(
            line.contains(" key=0000000000000005 length=13 status=200 "),
            "{line}"
        );
        assert!(
            line.contains(" stamp=0000000000000009 rights=3 member_of=~resource:a%20b:7 member_of=~group:lists etag="),
            "{line}"
        );
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
            key: 77,
            created: 12,
            generation: u64::MAX,
            stamp: 0,
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
                // The id is not data: it only identifies the value.
                assert_ne!(read.id, original.id);
                assert_eq!(read.metadata, original.metadata);
                assert_eq!(read.body, original.body);
            }
        }
    }

    proptest! {
        #[test]
        fn c25_a_written_entry_is_read_back(
            body in proptest::collection::vec(any::<u8>(), 0..2000), belongs in any::<[bool; 3]>(),
        ) {
            let mut entry = entry(&body);
            let belonging = &mut entry.metadata.belonging;
            if !belongs[0] {
                belonging.rights = None;
            }
            if !belongs[1] {
                belonging.records = Bytes::new();
            }
            if !belongs[2] {
                *belonging = Belonging::default();
            }
            prop_assert_eq!(read_value(&write_entry(&entry)), Some(StoredValue::Entry(entry)));
        }

        #[test]
        fn c25_foreign_bytes_are_a_miss(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read_value(&Bytes::from(bytes)), None);
        }
    }
}
