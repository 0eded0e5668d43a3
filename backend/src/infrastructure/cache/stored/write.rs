//! An entry or a claim as bytes (C25).
//!
//! Come here to change how a value is written; `parse` reads it back and must change with it.

use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::entry::{Claim, Entry, MAGIC};
use crate::infrastructure::cache::backends::head::HEAD_BYTES;

/// What would end a field, or be taken for an encoded byte.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Writes a claim.
pub fn write_claim(claim: &Claim) -> Bytes {
    let mut line = String::with_capacity(96);
    push_hexadecimal(&mut line, MAGIC, claim.id.0);
    push_decimal(&mut line, " claim ", claim.created);
    push_hexadecimal(&mut line, " ", claim.generation);
    push_hexadecimal(&mut line, " ", claim.group_generation);
    line.push('\n');
    Bytes::from(line)
}

/// Writes an entry.
pub fn write_entry(entry: &Entry) -> Bytes {
    let metadata = &entry.metadata;
    let mut line = String::with_capacity(256);
    push_decimal(&mut line, "length=", metadata.length as u64);
    push_decimal(&mut line, " status=", metadata.status.into());
    push_decimal(&mut line, " stored=", metadata.stored);
    push_decimal(&mut line, " fresh=", metadata.fresh);
    push_decimal(&mut line, " cost=", metadata.cost);
    push_hexadecimal(&mut line, " generation=", metadata.generation);
    if let Some(group) = &metadata.group {
        push_hexadecimal(&mut line, " group_generation=", group.generation);
        push_encoded(&mut line, " group=", group.name.as_bytes());
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
    // A checksum has half as many digits.
    head.truncate(HEAD_BYTES + 9);
    head.push(' ');
    // Of exactly this size, since it may be kept in memory.
    Bytes::from([head.as_bytes(), line.as_bytes(), &entry.body].concat())
}

// The formatter of the standard library takes several times as long for what every miss writes.

fn push_decimal(line: &mut String, name: &str, number: u64) {
    line.push_str(name);
    line.push_str(itoa::Buffer::new().format(number));
}

/// Appends a number in 16 hexadecimal digits.
fn push_hexadecimal(line: &mut String, name: &str, number: u64) {
    line.push_str(name);
    for shift in (0..16).rev() {
        let digit = number >> (4 * shift) & 0xf;
        line.push(char::from(b"0123456789abcdef"[digit as usize]));
    }
}

fn push_encoded(line: &mut String, name: &str, bytes: &[u8]) {
    line.push_str(name);
    line.extend(percent_encode(bytes, ENCODED));
}
