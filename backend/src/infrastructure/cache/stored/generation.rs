//! The record of a group's or a resource's generation (C36, C44), and which key a record belongs to
//! (C63).
//!
//! Come here to change how a record is written or read. When a generation is begun is decided in
//! `lookup::claim`.

use bytes::Bytes;

use super::entry::MAGIC;
use super::parse::{hexadecimal, read_value};
use crate::backends::Found;
use crate::backends::head::HEAD_BYTES;
use crate::keys::Key;

/// The error of a complete value that was stored under another key than that of the look-up (C63).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OfAnotherKey;

/// The record of a group or a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupRecord {
    /// The present generation.
    pub(crate) generation: u64,
    /// The time until which the server keeps the record: milliseconds since the Unix epoch. For entries
    /// that live longer, the record is written again.
    pub(crate) until: u64,
}

/// One readable line, with the head that every stored value has:
/// `cache/3 {generation} group {hash of the key} {until} {key}`.
pub(crate) fn write_group_record(key: &Key, record: GroupRecord) -> Bytes {
    let GroupRecord { generation, until } = record;
    let (identity, name) = (key.identity(), key.name());
    Bytes::from(format!(
        "{MAGIC}{generation:016x} group {identity:016x} {until} {name}\n"
    ))
}

/// The record that was found under the key; `None` for any other value.
pub(crate) fn parse_group_record(
    key: &Key,
    found: &Found,
) -> Result<Option<GroupRecord>, OfAnotherKey> {
    let Some((generation, identity, rest)) = parse_record(&found.value, b" group ") else {
        return no_record(key, &found.value);
    };
    if identity != key.identity() {
        return Err(OfAnotherKey);
    }
    let until = memchr::memchr(b' ', rest).map(|end| &rest[..end]);
    let until = until.and_then(|until| std::str::from_utf8(until).ok()?.parse().ok());
    Ok(until.map(|until| GroupRecord { generation, until }))
}

/// The hash of the key that a record was stored under; `None` for any other value.
pub(crate) fn identity_of_record(value: &[u8]) -> Option<u64> {
    let record = parse_record(value, b" group ").or_else(|| parse_record(value, b" generation "));
    record.map(|(_, identity, _)| identity)
}

/// The number in the head of a record, the hash of its key, and the bytes behind them.
pub(super) fn parse_record<'a>(value: &'a [u8], kind: &[u8]) -> Option<(u64, u64, &'a [u8])> {
    let (head, rest) = value.split_at_checked(HEAD_BYTES)?;
    let number = hexadecimal(head.strip_prefix(MAGIC.as_bytes())?)?;
    let (identity, rest) = rest.strip_prefix(kind)?.split_at_checked(16)?;
    Some((number, hexadecimal(identity)?, rest.strip_prefix(b" ")?))
}

/// The result for a value that is not the record of the look-up: an error for a value of another key, and `None` for a
/// foreign or damaged value.
pub(super) fn no_record<T>(key: &Key, value: &Bytes) -> Result<Option<T>, OfAnotherKey> {
    let is_other_record = identity_of_record(value).is_some_and(|other| other != key.identity());
    // No entry and no claim is ever stored under the key of a record.
    if is_other_record || read_value(value).is_some() {
        Err(OfAnotherKey)
    } else {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::Version;
    use crate::stored::{Claim, NamespaceRecord, ValueId, write_claim};

    fn key(text: &str) -> Key {
        Key::new(text.to_owned(), 0)
    }

    fn found(value: Bytes) -> Found {
        Found {
            value,
            version: Version::Anything,
        }
    }

    #[test]
    fn a_record_is_read_back() {
        let group = key("~group:lists of ada");
        let record = GroupRecord {
            generation: u64::MAX,
            until: 77,
        };
        let value = found(write_group_record(&group, record));
        assert_eq!(parse_group_record(&group, &value), Ok(Some(record)));
    }

    #[test]
    fn c63_a_value_of_another_key_is_no_record() {
        let (group, other) = (key("~group:a"), key("~group:b"));
        let record = GroupRecord {
            generation: 1,
            until: 2,
        };
        let claim = write_claim(&Claim {
            id: ValueId::random(),
            key: other.identity(),
            created: 1,
            generation: 2,
            stamp: 3,
        });
        for value in [
            write_group_record(&other, record),
            NamespaceRecord::default().write(&other),
            claim,
        ] {
            assert_eq!(
                parse_group_record(&group, &found(value.clone())),
                Err(OfAnotherKey)
            );
            assert_eq!(NamespaceRecord::read(&group, &value), Err(OfAnotherKey));
        }
    }

    #[test]
    fn a_foreign_value_is_no_record() {
        let group = key("~group:a");
        for value in ["", "foreign", "cache/2 000000000000000c group a\n"] {
            let value = Bytes::from(value);
            assert_eq!(parse_group_record(&group, &found(value.clone())), Ok(None));
            assert_eq!(NamespaceRecord::read(&group, &value), Ok(None));
        }
    }
}
