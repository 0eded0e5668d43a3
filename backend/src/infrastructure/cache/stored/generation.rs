//! The record of a group's generation, as it is read.
//!
//! Come here to change how it is read. When a group's generation is begun is decided in `lookup`.

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
