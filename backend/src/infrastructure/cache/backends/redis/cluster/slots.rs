//! Slots: which one a key is in, and the fixed groups of slots that the cache trusts or distrusts together.
//!
//! Come here to see why the keys of the cache itself end with a number in braces. Which server owns a slot is decided in
//! `watch`.
//!
//! The groups are the same in every process at any time. So instances that know different owners still agree on the record
//! that belongs to a key. Twelve groups of one size end where `redis-cli --cluster create` ends the slots of 1, 2, 3, 4, 6 or 12
//! masters, so that no group has two masters there.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

/// The number of slots of every Redis Cluster.
const SLOTS: u16 = 16_384;
/// The number of groups.
pub(in crate::backends) const GROUPS: usize = 12;

/// The first slot of each group: rounded, as `redis-cli` does.
const FIRST: [u16; GROUPS] = [
    0, 1365, 2731, 4096, 5461, 6827, 8192, 9557, 10_923, 12_288, 13_653, 15_019,
];

/// The slot of a key: of the part in the first braces, if there is one and it is not empty, else of the whole key.
pub(in crate::backends) fn slot_of(key: &[u8]) -> u16 {
    let tag = || {
        let start = key.iter().position(|byte| *byte == b'{')? + 1;
        let length = key[start..].iter().position(|byte| *byte == b'}')?;
        (length > 0).then(|| &key[start..start + length])
    };
    checksum(tag().unwrap_or(key)) % SLOTS
}

/// The group that a slot is in.
pub(super) fn group_of_slot(slot: u16) -> usize {
    FIRST.partition_point(|first| *first <= slot) - 1
}

/// The group that a key is in.
pub(in crate::backends) fn group_of(key: &[u8]) -> usize {
    group_of_slot(slot_of(key))
}

/// The slots of a group.
pub(in crate::backends) fn slots_of(group: usize) -> RangeInclusive<u16> {
    let next = FIRST.get(group + 1).copied().unwrap_or(SLOTS);
    FIRST[group]..=next - 1
}

/// The smallest number that, in braces, puts a key into this slot.
pub(super) fn tag_of(slot: u16) -> u32 {
    static TAGS: OnceLock<Vec<u32>> = OnceLock::new();
    let tags = TAGS.get_or_init(|| {
        let mut tags = vec![None; usize::from(SLOTS)];
        let mut missing = tags.len();
        // Every slot is found among the first 200 000 numbers; a test counts them.
        for number in 0.. {
            let slot = checksum(number.to_string().as_bytes()) % SLOTS;
            let tag = &mut tags[usize::from(slot)];
            if tag.is_none() {
                *tag = Some(number);
                missing -= 1;
            }
            if missing == 0 {
                break;
            }
        }
        tags.into_iter().flatten().collect()
    });
    tags[usize::from(slot)]
}

/// The checksum of the specification of Redis Cluster: CRC-16 with the polynomial 0x1021 (XMODEM).
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum: u16, byte| {
        (sum << 8) ^ TABLE[usize::from((sum >> 8) ^ u16::from(*byte))]
    })
}

/// The checksum of each byte.
static TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u16;
    while byte < 256 {
        let mut sum = byte << 8;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000 == 0 {
                sum << 1
            } else {
                (sum << 1) ^ 0x1021
            };
            bit += 1;
        }
        table[byte as usize] = sum;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c60_a_key_is_in_the_slot_that_the_specification_gives_it() {
        // The check value of the specification, and answers of `CLUSTER KEYSLOT`.
        assert_eq!(checksum(b"123456789"), 0x31C3);
        let slots = [
            ("foo", 12_182),
            ("{foo}bar", 12_182),
            ("a{foo}{bar}", 12_182),
            ("", 0),
        ];
        for (key, slot) in slots {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        assert_eq!(slot_of(b"{}a"), checksum(b"{}a") % SLOTS);
        assert_eq!(slot_of(b"{a"), checksum(b"{a") % SLOTS);
    }

    #[test]
    fn c60_every_slot_is_in_one_group_and_has_a_tag() {
        for slot in 0..SLOTS {
            assert!(slots_of(group_of_slot(slot)).contains(&slot));
            let tag = tag_of(slot);
            assert_eq!(slot_of(format!("~generation{{{tag}}}").as_bytes()), slot);
            assert!(tag < 300_000, "{tag}");
        }
        let all: usize = (0..GROUPS).map(|group| slots_of(group).len()).sum();
        assert_eq!(all, usize::from(SLOTS));
    }

    #[test]
    fn c60_groups_end_where_the_slots_of_three_masters_end() {
        assert_eq!(slots_of(3).end() + 1, 5461);
        assert_eq!(slots_of(7).end() + 1, 10_923);
    }
}
