//! The belonging of an entry: the records and the caller's rights that are stored with it (C36, C44).
//!
//! Come here to change how an entry ends without being deleted. An entry with a belonging is an answer only while its
//! records and rights are the same. Which records an entry has is decided in `policy`, and `lookup::claim` creates them;
//! neither happens here.

use std::borrow::Cow;

use bytes::Bytes;
use percent_encoding::percent_decode;
use rapidhash::v3::rapidhash_v3;

use super::fields::push_encoded;
use crate::keys::Memberships;

/// The name of the field that holds the key of one record.
pub(super) const MEMBER_OF: &str = "member_of=";

/// The records and rights of an entry, as they were just before its handler ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belonging {
    /// The generations of all records and the caller's rights in one number; see [`stamp`].
    pub stamp: u64,
    /// The version of the caller's rights; `None` where the key has no caller. It is stored beside the stamp for
    /// `Cache::get`, which has no caller whose rights it could put into a stamp.
    pub rights: Option<u64>,
    /// The keys of the records, as fields of the metadata line with a space between them.
    pub records: Bytes,
}

impl Belonging {
    /// The records of these memberships, with this stamp.
    pub(crate) fn to(memberships: &Memberships, stamp: u64) -> Self {
        let mut records = String::new();
        for record in memberships.records().into_iter().flatten() {
            if !records.is_empty() {
                records.push(' ');
            }
            push_encoded(&mut records, MEMBER_OF, record.name().as_bytes());
        }
        Self {
            stamp,
            rights: memberships.rights,
            records: records.into(),
        }
    }

    /// The keys of the records without the namespace, in the order of the stamp.
    pub(crate) fn record_names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let fields = self.records.split(|byte| *byte == b' ');
        fields.filter_map(|field| {
            let name = field.strip_prefix(MEMBER_OF.as_bytes())?;
            percent_decode(name).decode_utf8().ok()
        })
    }
}

/// The stamp of an entry without records and rights.
pub(crate) const STAMP_OF_NONE: u64 = 0;

/// The generations of an entry's records and the version of its caller's rights, in one number that a look-up compares.
/// [`STAMP_OF_NONE`] for an entry without either. Generations are random, so two different lists give the same number with
/// a probability of 2⁻⁶⁴.
pub(crate) fn stamp(generations: impl IntoIterator<Item = u64>, rights: Option<u64>) -> u64 {
    let mut content = [0_u64; 4];
    let mut count = 0;
    for (place, generation) in content.iter_mut().zip(generations) {
        *place = generation;
        count += 1;
    }
    if count == 0 && rights.is_none() {
        return STAMP_OF_NONE;
    }
    let mut bytes = [0_u8; 48];
    let described = [
        u64::from(rights.is_some()),
        rights.unwrap_or_default() ^ (count << 56),
    ];
    for (place, number) in bytes
        .chunks_exact_mut(8)
        .zip(content.into_iter().chain(described))
    {
        place.copy_from_slice(&number.to_le_bytes());
    }
    rapidhash_v3(&bytes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Key;

    #[test]
    fn c44_a_stamp_tells_generations_rights_and_their_order_apart() {
        let stamps = [
            stamp([], None),
            stamp([], Some(0)),
            stamp([], Some(1)),
            stamp([1], None),
            stamp([1], Some(0)),
            stamp([1], Some(1)),
            stamp([1, 2], None),
            stamp([2, 1], None),
            stamp([1, 0], None),
        ];
        assert_eq!(stamps[0], 0);
        for (index, stamp) in stamps.iter().enumerate() {
            assert!(!stamps[index + 1..].contains(stamp), "{index}");
        }
    }

    #[test]
    fn c44_the_records_of_an_entry_are_read_back() {
        let key = |text: &str| Some(Key::new(format!("shop:{text}"), 5));
        let memberships = Memberships {
            resource: key("~resource:a b:7%"),
            group: key("~group:lists"),
            rights: None,
        };
        let belonging = Belonging::to(&memberships, 1);
        let names: Vec<_> = belonging.record_names().collect();
        assert_eq!(names, ["~resource:a b:7%", "~group:lists"]);
        assert_eq!(Belonging::default().record_names().count(), 0);
    }
}
