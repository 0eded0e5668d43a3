//! Entries that this thread has read lately. A hit at hand mostly reads the very bytes that the hit before
//! it read, and reading their line again costs more than finding them.
//!
//! An entry is known by where its bytes lie. They are kept here, so that nothing else can come to lie
//! there, and bytes that are shared never change: the same place is the same entry.

use std::array;
use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;

use super::entry::{Entry, StoredValue, read_value};

/// How many entries a thread remembers.
const PLACES: usize = 256;
/// Larger values are read each time: what is remembered is kept, even when its key is long gone.
const LARGEST_BYTES: usize = 4096;

type Decoded = Option<(Bytes, Rc<Entry>)>;

thread_local! {
    static DECODED: RefCell<[Decoded; PLACES]> = RefCell::new(array::from_fn(|_| None));
}

/// The entry that the value is; `None` for anything else.
pub(super) fn decode(value: &Bytes) -> Option<Rc<Entry>> {
    if value.len() > LARGEST_BYTES {
        return read(value);
    }
    // Values that lie next to each other have different places.
    let place = value.as_ptr().addr() / 64 % PLACES;
    DECODED.with_borrow_mut(|decoded| {
        if let Some((known, entry)) = &decoded[place]
            && known.as_ptr() == value.as_ptr()
            && known.len() == value.len()
        {
            return Some(Rc::clone(entry));
        }
        let entry = read(value)?;
        decoded[place] = Some((value.clone(), Rc::clone(&entry)));
        Some(entry)
    })
}

fn read(value: &Bytes) -> Option<Rc<Entry>> {
    match read_value(value) {
        Some(StoredValue::Entry(entry)) => Some(Rc::new(entry)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::super::entry::{Metadata, ValueId, write_entry};
    use super::*;

    fn value(body: &str) -> Bytes {
        write_entry(&Entry {
            id: ValueId::random(),
            metadata: Metadata {
                length: body.len(),
                status: 200,
                stored: 1,
                fresh: 2,
                cost: 3,
                generation: 4,
                group: None,
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
        assert!(Rc::ptr_eq(&entry, &decode(&first.clone()).unwrap()));
        assert_eq!(entry.body, "first");
        // Many values come and go where others were, and meet in the same places.
        for number in 0..10_000 {
            let body = number.to_string();
            assert_eq!(decode(&value(&body)).unwrap().body, body);
        }
        assert_eq!(decode(&first).unwrap().body, "first");
    }

    #[test]
    fn c25_what_is_no_entry_is_none_however_often_it_is_read() {
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
    fn what_is_large_is_not_remembered() {
        let large = value(&"x".repeat(LARGEST_BYTES));
        let entry = decode(&large).unwrap();
        assert!(!Rc::ptr_eq(&entry, &decode(&large).unwrap()));
    }
}
