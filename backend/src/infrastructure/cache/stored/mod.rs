//! Stored values: entries, claims and the records of generations, as bytes and as types.
//!
//! Come here to change the format of stored values. Nothing here asks a backend.

mod belonging;
mod compression;
mod entry;
mod fields;
mod generation;
mod namespace_record;
mod new_entry;
mod parse;
mod recently_parsed;
mod write;

pub use compression::compressed_entity_tag;
pub use new_entry::entity_tag;

pub(in crate::infrastructure::cache) use belonging::{Belonging, STAMP_OF_NONE, stamp};
pub(in crate::infrastructure::cache) use compression::compress;
pub(in crate::infrastructure::cache) use entry::{Claim, Entry, Metadata, StoredValue, ValueId};
pub(in crate::infrastructure::cache) use generation::{
    GroupRecord, OfAnotherKey, identity_of_record, parse_group_record, write_group_record,
};
pub(in crate::infrastructure::cache) use namespace_record::{Member, NamespaceRecord};
pub(in crate::infrastructure::cache) use new_entry::{CompleteAnswer, Provenance, shortened};
pub(in crate::infrastructure::cache) use parse::{read_metadata_of_head, read_value};
pub(in crate::infrastructure::cache) use recently_parsed::{decode, decode_answer};
pub(in crate::infrastructure::cache) use write::{write_claim, write_entry};
