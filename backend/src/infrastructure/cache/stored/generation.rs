//! The records of generations: of a group and of the namespace.
//!
//! Come here to change how a generation is written or read. When one is begun is decided in `breaker` and `lookup`.

use bytes::Bytes;

use super::entry::GroupStamp;
use crate::infrastructure::cache::backends::Found;
use crate::infrastructure::cache::backends::head::HEAD_BYTES;
use crate::infrastructure::cache::keys::Key;

/// The stamp of the group's record, where there is one that can be read.
pub(in crate::infrastructure::cache) fn read_stamp(
    key: &Key,
    record: Option<&Found>,
) -> Option<GroupStamp> {
    Some(stamp(key, read_generation(record?)?))
}

pub(in crate::infrastructure::cache) fn stamp(key: &Key, generation: u64) -> GroupStamp {
    GroupStamp {
        name: key.group().to_owned(),
        generation,
    }
}

/// The generation in the head of a group's record.
pub(in crate::infrastructure::cache) fn read_generation(found: &Found) -> Option<u64> {
    let head = std::str::from_utf8(found.value.get(..HEAD_BYTES)?).ok()?;
    u64::from_str_radix(head.strip_prefix("cache/2 ")?, 16).ok()
}

pub(in crate::infrastructure::cache) struct RecordedGeneration {
    pub(in crate::infrastructure::cache) generation: u64,
    pub(in crate::infrastructure::cache) identity: String,
}

/// One readable line, with the head that every stored value has.
pub(in crate::infrastructure::cache) fn write_generation(generation: u64, identity: &str) -> Bytes {
    Bytes::from(format!("cache/2 {generation:016x} generation {identity}\n"))
}

pub(in crate::infrastructure::cache) fn parse_generation(
    value: &[u8],
) -> Option<RecordedGeneration> {
    let text = std::str::from_utf8(value).ok()?;
    let generation =
        u64::from_str_radix(text.get(..HEAD_BYTES)?.strip_prefix("cache/2 ")?, 16).ok()?;
    let identity = text
        .get(HEAD_BYTES..)?
        .strip_prefix(" generation ")?
        .strip_suffix('\n')?
        .to_owned();
    Some(RecordedGeneration {
        generation,
        identity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_read_back() {
        let recorded = parse_generation(&write_generation(12, "run-1")).unwrap();
        assert_eq!(
            (recorded.generation, recorded.identity.as_str()),
            (12, "run-1")
        );
    }

    #[test]
    fn a_foreign_value_is_no_generation() {
        assert!(parse_generation(b"cache/2 000000000000000c other x\n").is_none());
        assert!(parse_generation(b"").is_none());
    }
}
