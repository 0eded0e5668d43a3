//! The record of the namespace: its generation, the server it was set on, and the instances that use it.
//!
//! Come here to change how the record is written or read. When it is written is decided in `breaker`.
//! One key holds the whole record, so that every change is one compare-and-set. Nothing here asks a
//! backend.
//!
//! ```text
//! cache/3 {id of this write} generation {hash of the key} {generation} {round} {server} {instance}:{answered}:{grace in ms} …⏎
//! ```
//!
//! As one of several servers, `list={list}` follows `{server}`, and `:{list}:{servers that may lack its
//! deletions}` each instance.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::entry::MAGIC;
use super::generation::{OfAnotherKey, no_record, parse_record};
use crate::keys::Key;

/// The most instances that a record lists.
pub(crate) const MAX_MEMBERS: usize = 1000;
/// The name of the field with the number of a list.
const LIST: &str = "list=";
/// The bytes that would end a field or look like an encoded byte.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// The state of the namespace that all instances share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamespaceRecord {
    /// The generation that trusted entries carry.
    pub(crate) generation: u64,
    /// The number of the newest roll call.
    pub(crate) round: u64,
    /// The server that the generation was set on.
    pub(crate) server: String,
    /// The number of the list of servers under which the generation began (C61); 0 for a single server.
    pub(crate) list: u64,
    /// The instances that have joined and are not known to have ended.
    pub(crate) members: Vec<Member>,
}

/// One instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Drawn at random when the process starts.
    pub(crate) id: u64,
    /// The number of the newest roll call that it has answered.
    pub(crate) answered: u64,
    /// The longest time that others wait for its answer to a roll call. After that time without an
    /// answer, the instance trusts nothing from before the roll call.
    pub(crate) grace: Duration,
    /// The number of its list of servers; 0 for a single server.
    pub(crate) list: u64,
    /// The other servers of the list that may lack its deletions: one bit for each place.
    pub(crate) lacking: u64,
}

impl NamespaceRecord {
    /// Lists the instance, if it is not listed, and records its answer to the newest roll call. Returns
    /// `false` where [`MAX_MEMBERS`] others are listed.
    pub(crate) fn answer(&mut self, instance: Member) -> bool {
        let member = Member {
            answered: self.round,
            ..instance
        };
        if let Some(known) = self.members.iter_mut().find(|known| known.id == member.id) {
            *known = member;
        } else if self.members.len() < MAX_MEMBERS {
            self.members.push(member);
        } else {
            return false;
        }
        true
    }

    /// Whether the generation or an instance belongs to another list of servers.
    pub(crate) fn names_other_list(&self, list: u64) -> bool {
        self.list != list || self.has_member_of_other_list(list)
    }

    /// Whether an instance has another list of servers.
    pub(crate) fn has_member_of_other_list(&self, list: u64) -> bool {
        self.members.iter().any(|member| member.list != list)
    }

    /// The other servers that may lack deletions of an instance, which is not this one.
    pub(crate) fn lacking(&self, own: u64) -> u64 {
        let others = self.members.iter().filter(|member| member.id != own);
        others.fold(0, |all, member| all | member.lacking)
    }

    /// Removes an instance.
    pub(crate) fn remove(&mut self, id: u64) {
        self.members.retain(|member| member.id != id);
    }

    /// One readable line. Its head is new in every write, so that a compare-and-set sees every change.
    pub(crate) fn write(&self, key: &Key) -> Bytes {
        let mut line = format!(
            "{MAGIC}{:016x} generation {:016x} {:016x} {} {}",
            rand::random::<u64>(),
            key.identity(),
            self.generation,
            self.round,
            utf8_percent_encode(&self.server, ENCODED)
        );
        // Writing to a string does not fail.
        if self.list != 0 {
            let _ = write!(line, " {LIST}{:016x}", self.list);
        }
        for member in &self.members {
            let _ = write!(
                line,
                " {:016x}:{}:{}",
                member.id,
                member.answered,
                member.grace.as_millis()
            );
            if member.list != 0 {
                let _ = write!(line, ":{:016x}:{:x}", member.list, member.lacking);
            }
        }
        line.push('\n');
        Bytes::from(line)
    }

    /// The record in the value that the server holds under the key; `None` for any other or damaged
    /// value.
    pub(crate) fn read(key: &Key, value: &Bytes) -> Result<Option<Self>, OfAnotherKey> {
        match parse_record(value, b" generation ") {
            None => no_record(key, value),
            Some((_, identity, _)) if identity != key.identity() => Err(OfAnotherKey),
            Some((_, _, fields)) => Ok(Self::parse(fields)),
        }
    }

    fn parse(fields: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(fields).ok()?.strip_suffix('\n')?;
        let mut fields = line.split(' ').peekable();
        Some(Self {
            generation: u64::from_str_radix(fields.next()?, 16).ok()?,
            round: fields.next()?.parse().ok()?,
            server: percent_decode_str(fields.next()?)
                .decode_utf8()
                .ok()?
                .into_owned(),
            list: match fields.next_if(|field| field.starts_with(LIST)) {
                Some(field) => u64::from_str_radix(&field[LIST.len()..], 16).ok()?,
                None => 0,
            },
            members: fields.map(read_member).collect::<Option<_>>()?,
        })
    }
}

fn read_member(field: &str) -> Option<Member> {
    let mut parts = field.split(':');
    let member = Member {
        id: u64::from_str_radix(parts.next()?, 16).ok()?,
        answered: parts.next()?.parse().ok()?,
        grace: Duration::from_millis(parts.next()?.parse().ok()?),
        list: read_optional(parts.next())?,
        lacking: read_optional(parts.next())?,
    };
    parts.next().is_none().then_some(member)
}

/// Hexadecimal digits, or 0 for none.
fn read_optional(digits: Option<&str>) -> Option<u64> {
    digits.map_or(Some(0), |digits| u64::from_str_radix(digits, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::head::HEAD_BYTES;
    use proptest::prelude::*;

    fn key() -> Key {
        Key::new("~generation".to_owned(), 0)
    }

    fn record() -> NamespaceRecord {
        let mut record = NamespaceRecord {
            generation: 12,
            round: 3,
            server: "run 1%".to_owned(),
            list: 0,
            members: Vec::new(),
        };
        assert!(record.answer(member(7, 0)));
        record
    }

    fn member(id: u64, list: u64) -> Member {
        Member {
            id,
            answered: 0,
            grace: Duration::from_millis(1250),
            list,
            lacking: list & 0xff,
        }
    }

    #[test]
    fn c61_a_record_is_read_back_with_its_lists() {
        let mut record = NamespaceRecord {
            list: 9,
            ..record()
        };
        assert!(record.answer(member(8, u64::MAX)));
        let written = record.write(&key());
        assert_eq!(NamespaceRecord::read(&key(), &written), Ok(Some(record)));
    }

    #[test]
    fn c61_a_list_is_another_one_for_the_generation_or_for_an_instance() {
        let mut record = record();
        assert!(!record.names_other_list(0) && record.names_other_list(9));
        assert!(record.answer(member(8, 9)));
        assert!(record.names_other_list(0) && record.names_other_list(9));
        record.remove(7);
        record.list = 9;
        assert!(!record.names_other_list(9));
    }

    #[test]
    fn a_record_is_read_back_and_each_write_has_a_head_of_its_own() {
        let record = record();
        let written = record.write(&key());
        assert_eq!(
            NamespaceRecord::read(&key(), &written),
            Ok(Some(record.clone()))
        );
        assert_ne!(written[..HEAD_BYTES], record.write(&key())[..HEAD_BYTES]);
    }

    #[test]
    fn an_answer_replaces_the_one_before_and_a_removed_instance_is_listed_no_more() {
        let mut record = record();
        record.round = 4;
        assert!(record.answer(member(7, 0)));
        let answers: Vec<_> = record
            .members
            .iter()
            .map(|member| member.answered)
            .collect();
        assert_eq!(answers, [4]);
        record.remove(7);
        assert_eq!(record.members, []);
    }

    #[test]
    fn no_more_instances_are_listed_than_the_bound() {
        let mut record = NamespaceRecord::default();
        for id in 0..MAX_MEMBERS as u64 {
            assert!(record.answer(member(id, 0)));
        }
        assert!(!record.answer(member(u64::MAX, 0)));
        assert!(record.answer(member(0, 0)), "it is listed already");
    }

    #[test]
    fn every_truncated_record_is_none() {
        let written = record().write(&key());
        for length in 0..written.len() {
            let cut = written.slice(..length);
            assert_eq!(NamespaceRecord::read(&key(), &cut), Ok(None));
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_are_no_record(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(NamespaceRecord::read(&key(), &Bytes::from(bytes)), Ok(None));
        }
    }
}
