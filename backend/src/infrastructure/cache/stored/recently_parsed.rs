//! The entries that this thread has parsed lately.
//!
//! A hit of the memory backend or a near cache mostly reads the same bytes as the hit before it, and so
//! do requests that share one answer of a server. Parsing the line again costs more than finding the
//! parsed entry here. An entry is identified by the address of its bytes. The bytes are kept here, so
//! the address is not used for other bytes, and shared bytes never change: the same address is the same
//! entry.
//!
//! Come here to change how many parsed entries are kept. Nothing here decides whether an entry is an
//! answer.

use std::array;
use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;

use super::entry::{Entry, StoredValue};
use super::parse::read_value;

/// The number of entries that a thread remembers.
const PLACES: usize = 256;
/// The largest value that is remembered, in bytes. A remembered value stays in memory after its key was deleted, so
/// larger ones are parsed each time.
const LARGEST_BYTES: usize = 4096;

type Decoded = Option<(Bytes, Arc<Entry>)>;

thread_local! {
    static AT_HAND: RefCell<[Decoded; PLACES]> = RefCell::new(array::from_fn(|_| None));
    static ANSWERED: RefCell<Decoded> = const { RefCell::new(None) };
}

/// The entry in a value from this process's memory; `None` for any other value.
pub(crate) fn decode(value: &Bytes) -> Option<Arc<Entry>> {
    // Values that are neighbours in memory get different places.
    let place = value.as_ptr().addr() / 64 % PLACES;
    AT_HAND.with_borrow_mut(|decoded| decode_in(&mut decoded[place], value))
}

/// The entry in an answer of a server. Requests that share an answer come one after the other, so only
/// the last answer is remembered: it may be a small part of a large message, which stays in memory with
/// it.
pub(crate) fn decode_answer(value: &Bytes) -> Option<Arc<Entry>> {
    ANSWERED.with_borrow_mut(|decoded| decode_in(decoded, value))
}

fn decode_in(place: &mut Decoded, value: &Bytes) -> Option<Arc<Entry>> {
    if value.len() > LARGEST_BYTES {
        return read(value);
    }
    if let Some((known, entry)) = place
        && known.as_ptr() == value.as_ptr()
        && known.len() == value.len()
    {
        return Some(Arc::clone(entry));
    }
    let entry = read(value)?;
    *place = Some((value.clone(), Arc::clone(&entry)));
    Some(entry)
}

fn read(value: &Bytes) -> Option<Arc<Entry>> {
    match read_value(value) {
        Some(StoredValue::Entry(entry)) => Some(Arc::new(entry)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;
    use crate::stored::belonging::Belonging;
    use crate::stored::entry::{Metadata, ValueId};
    use crate::stored::write::write_entry;

    fn value(body: &str) -> Bytes {
        write_entry(&Entry {
            id: ValueId::random(),
            metadata: Metadata {
                key: 5,
                length: body.len(),
                plain_length: None,
                status: 200,
                stored: 1,
                fresh: 2,
                cost: 3,
                generation: 4,
                belonging: Belonging::default(),
                etag: HeaderValue::from_static("\"\""),
                headers: Vec::new(),
            },
            body: Bytes::copy_from_slice(body.as_bytes()),
        })
    }

    #[test]
    fn the_same_bytes_are_read_once_and_others_are_never_taken_for_them() {
        let first = value("first");
        let entry = decode(&first).unwrap();
        assert!(Arc::ptr_eq(&entry, &decode(&first.clone()).unwrap()));
        assert_eq!(entry.body, "first");
        // Many values come and go at the addresses of others, and share places.
        for number in 0..10_000 {
            let body = number.to_string();
            assert_eq!(decode(&value(&body)).unwrap().body, body);
        }
        assert_eq!(decode(&first).unwrap().body, "first");
    }

    #[test]
    fn an_answer_that_is_shared_is_read_once_and_others_are_never_taken_for_it() {
        for body in ["first", "other"] {
            let shared = value(body);
            let entry = decode_answer(&shared).unwrap();
            assert_eq!(entry.body, body);
            assert!(Arc::ptr_eq(
                &entry,
                &decode_answer(&shared.clone()).unwrap()
            ));
        }
        // The remembered value is gone, and its address may belong to another value.
        for number in 0..10_000 {
            let body = number.to_string();
            assert_eq!(decode_answer(&value(&body)).unwrap().body, body);
        }
        assert!(decode_answer(&Bytes::from_static(b"foreign")).is_none());
    }

    #[test]
    fn c25_a_value_that_is_no_entry_is_none_however_often_it_is_read() {
        let whole = value("whole");
        assert!(decode(&whole).is_some());
        let truncated = whole.slice(..whole.len() - 1);
        for _ in 0..2 {
            assert!(decode(&truncated).is_none());
            assert!(decode(&Bytes::from_static(b"foreign")).is_none());
        }
        assert_eq!(decode(&whole).unwrap().body, "whole");
    }

    #[test]
    fn a_large_value_is_not_remembered() {
        let large = value(&"x".repeat(LARGEST_BYTES));
        let entry = decode(&large).unwrap();
        assert!(!Arc::ptr_eq(&entry, &decode(&large).unwrap()));
    }
}
