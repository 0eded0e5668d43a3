//! Header values of hits that this thread has made lately: `Age` and `Cache-Status`.
//!
//! Hits of the same second mostly have the same age and the same rest of their time, and making a header
//! value again takes several times as long as finding it here. Come here to change how many are
//! remembered. What a value says is decided in `cache_status` and `response`.

use std::array;
use std::cell::RefCell;

use actix_web::http::header::HeaderValue;
use bytes::Bytes;

use crate::cache_status::{Outcome, header_value};

/// The number of values of each header that a thread remembers.
const PLACES: usize = 256;

type Recent<N> = RefCell<[Option<(N, HeaderValue)>; PLACES]>;

thread_local! {
    static AGES: Recent<u64> = RefCell::new(array::from_fn(|_| None));
    static HITS: Recent<i64> = RefCell::new(array::from_fn(|_| None));
}

/// The value of `Age`: whole seconds.
pub(super) fn age(seconds: u64) -> HeaderValue {
    AGES.with_borrow_mut(|recent| {
        let make = || Some(HeaderValue::from(seconds));
        find_or_make(&mut recent[place_of(seconds)], seconds, make)
            .unwrap_or_else(|| HeaderValue::from(seconds))
    })
}

/// The value of `Cache-Status`, with the key if it is shown.
pub(super) fn cache_status(outcome: Outcome, key: Option<&str>) -> Option<HeaderValue> {
    let make = || HeaderValue::from_maybe_shared(Bytes::from(header_value(outcome, key))).ok();
    match (outcome, key) {
        (Outcome::Hit { ttl }, None) => HITS.with_borrow_mut(|recent| {
            find_or_make(&mut recent[place_of(ttl.unsigned_abs())], ttl, make)
        }),
        _ => make(),
    }
}

fn place_of(number: u64) -> usize {
    usize::try_from(number % PLACES as u64).unwrap_or_default()
}

fn find_or_make<N: PartialEq>(
    place: &mut Option<(N, HeaderValue)>,
    number: N,
    make: impl FnOnce() -> Option<HeaderValue>,
) -> Option<HeaderValue> {
    if let Some((known, value)) = place
        && *known == number
    {
        return Some(value.clone());
    }
    let value = make()?;
    *place = Some((number, value.clone()));
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_value_is_that_of_its_number() {
        // Numbers that share a place come one after the other, and again.
        for round in 0..2_u64 {
            for seconds in [0, 1, 256, 257, 512, u64::MAX - round] {
                assert_eq!(age(seconds), HeaderValue::from(seconds));
            }
        }
        for ttl in [583, -1, 0, 583 - 256, 583, i64::MIN, i64::MAX] {
            let expected = header_value(Outcome::Hit { ttl }, None);
            let value = cache_status(Outcome::Hit { ttl }, None).unwrap();
            assert_eq!(value.to_str().unwrap(), expected);
        }
    }

    #[test]
    fn c31_a_key_is_never_taken_from_another_answer() {
        let hit = Outcome::Hit { ttl: 7 };
        for key in [Some("widget:1"), None, Some("widget:2")] {
            let value = cache_status(hit, key).unwrap();
            assert_eq!(value.to_str().unwrap(), header_value(hit, key));
        }
    }
}
