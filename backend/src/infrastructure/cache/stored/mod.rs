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

pub(crate) use belonging::{Belonging, STAMP_OF_NONE, stamp};
pub(crate) use compression::compress;
pub(crate) use entry::{Claim, Entry, Metadata, StoredValue, ValueId};
pub(crate) use generation::{
    GroupRecord, OfAnotherKey, identity_of_record, parse_group_record, write_group_record,
};
pub(crate) use namespace_record::{Member, NamespaceRecord};
pub(crate) use new_entry::{CompleteAnswer, Provenance, shortened};
pub(crate) use parse::{read_metadata_of_head, read_value};
pub(crate) use recently_parsed::{decode, decode_answer};
pub(crate) use write::{write_claim, write_entry};
