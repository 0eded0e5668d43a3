//! Writing an entry or a claim as bytes (C25).
//!
//! Come here to change how a value is written. `parse` reads it back and must change with it.

use bytes::Bytes;

use super::entry::{Claim, Entry, MAGIC};
use super::fields::{push_decimal, push_encoded, push_hexadecimal};
use crate::backends::head::HEAD_BYTES;

/// Writes a claim.
pub fn write_claim(claim: &Claim) -> Bytes {
    let mut line = String::with_capacity(128);
    push_hexadecimal(&mut line, MAGIC, claim.id.0);
    push_hexadecimal(&mut line, " claim ", claim.key);
    push_decimal(&mut line, " ", claim.created);
    push_hexadecimal(&mut line, " ", claim.generation);
    push_hexadecimal(&mut line, " ", claim.stamp);
    line.push('\n');
    Bytes::from(line)
}

/// Writes an entry.
pub fn write_entry(entry: &Entry) -> Bytes {
    let metadata = &entry.metadata;
    let mut line = String::with_capacity(256);
    push_hexadecimal(&mut line, "key=", metadata.key);
    push_decimal(&mut line, " length=", metadata.length as u64);
    push_decimal(&mut line, " status=", metadata.status.into());
    push_decimal(&mut line, " stored=", metadata.stored);
    push_decimal(&mut line, " fresh=", metadata.fresh);
    push_decimal(&mut line, " cost=", metadata.cost);
    push_hexadecimal(&mut line, " generation=", metadata.generation);
    let belonging = &metadata.belonging;
    if belonging.stamp != 0 {
        push_hexadecimal(&mut line, " stamp=", belonging.stamp);
        if let Some(rights) = belonging.rights {
            push_decimal(&mut line, " rights=", rights);
        }
        if let (false, Ok(records)) = (
            belonging.records.is_empty(),
            std::str::from_utf8(&belonging.records),
        ) {
            line.push(' ');
            line.push_str(records);
        }
    }
    if let Some(length) = metadata.plain_length {
        push_decimal(&mut line, " zstd=", length as u64);
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
    // Half as many digits as an id, since a checksum has 32 bits.
    head.truncate(HEAD_BYTES + 9);
    head.push(' ');
    // The bytes have exactly the needed capacity, because they may be kept in memory.
    Bytes::from([head.as_bytes(), line.as_bytes(), &entry.body].concat())
}
