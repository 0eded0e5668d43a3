//! Writing of single fields of a metadata line.
//!
//! Come here to change the form of numbers and texts in stored values. Which fields there are is in
//! `write`, and `parse` reads them back.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

/// The bytes that would end a field or look like an encoded byte.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

// Numbers are written by hand. The formatter of the standard library takes several times as long, and each miss writes
// numbers.

/// Appends a name and a number.
pub(super) fn push_decimal(line: &mut String, name: &str, number: u64) {
    line.push_str(name);
    line.push_str(itoa::Buffer::new().format(number));
}

/// Appends a name and a number in 16 hexadecimal digits.
pub(super) fn push_hexadecimal(line: &mut String, name: &str, number: u64) {
    line.push_str(name);
    for shift in (0..16).rev() {
        let digit = number >> (4 * shift) & 0xf;
        line.push(char::from(b"0123456789abcdef"[digit as usize]));
    }
}

/// Appends a name and bytes, with percent-encoding for bytes that would end a field.
pub(super) fn push_encoded(line: &mut String, name: &str, bytes: &[u8]) {
    line.push_str(name);
    line.extend(percent_encode(bytes, ENCODED));
}
