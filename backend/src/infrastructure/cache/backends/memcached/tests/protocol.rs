//! Tests of the protocol: the written and the read bytes.
//!
//! Come here after adding a command.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::backends::memcached::protocol::{
    Answer, Condition, Content, Key, MAX_VALUE_BYTES, Received, Surprise, lifetime_on_the_wire,
    take_answer, write_look_up, write_store,
};

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut commands = Vec::new();
    write(&mut commands);
    String::from_utf8(commands).unwrap()
}

#[test]
fn a_look_up_asks_for_value_and_number() {
    let key = Key::new("item:42").unwrap();
    assert_eq!(
        written(|commands| write_look_up(commands, &key, 7)),
        "mg item:42 v c O7\r\n"
    );
}

#[test]
fn a_store_contains_its_condition() {
    let key = Key::new("item:42").unwrap();
    for (condition, flag) in [
        (Condition::None, ""),
        (Condition::Absent, " ME"),
        (Condition::Number(12), " C12"),
    ] {
        assert_eq!(
            written(|commands| write_store(commands, &key, b"body", condition, 60, 7)),
            format!("ms item:42 4 T60 c O7{flag}\r\nbody\r\n")
        );
    }
}

#[test]
fn a_key_with_blanks_is_sent_as_base64() {
    let key = Key::new("a key").unwrap();
    assert_eq!(
        written(|commands| write_look_up(commands, &key, 1)),
        "mg YSBrZXk= v c O1 b\r\n"
    );
    assert_eq!(
        written(|commands| write_store(commands, &key, b"x", Condition::Absent, 1, 2)),
        "ms YSBrZXk= 1 T1 c O2 ME b\r\nx\r\n"
    );
}

#[test]
fn keys_that_do_not_fit_are_none() {
    assert_eq!(Key::new(""), None);
    assert!(Key::new(&"x".repeat(250)).is_some());
    assert_eq!(Key::new(&"x".repeat(251)), None);
    assert!(Key::new(&" ".repeat(186)).is_some());
    assert_eq!(Key::new(&" ".repeat(188)), None);
}

#[test]
fn c12_a_lifetime_above_thirty_days_is_sent_as_a_point_in_time() {
    let day = Duration::from_hours(24);
    let now = UNIX_EPOCH + 20_000 * day;
    let told = |expiration| lifetime_on_the_wire(expiration, now);
    assert_eq!(told(Duration::ZERO), 1);
    assert_eq!(told(Duration::from_millis(1001)), 2);
    assert_eq!(told(30 * day), 30 * 86400);
    assert_eq!(told(31 * day), 20_031 * 86400);
    // The server would refuse later ones.
    assert_eq!(told(Duration::MAX), 2_147_483_647);
    assert_eq!(
        lifetime_on_the_wire(day, SystemTime::UNIX_EPOCH + 30_000 * day),
        1
    );
}

fn read_all(received: &mut BytesMut) -> Result<Vec<Answer>, Surprise> {
    let mut answers = Vec::new();
    while let Received::Answer(answer) = take_answer(received)? {
        answers.push(answer);
    }
    Ok(answers)
}

fn read_text(text: &str) -> Result<Vec<Answer>, Surprise> {
    read_all(&mut BytesMut::from(text))
}

#[test]
fn a_line_that_no_server_sends_is_a_surprise() {
    for text in [
        "\r\n",
        "EN\n",
        "ERROR\r\n",
        "ERROR Too many open connections\r\n",
        "CLIENT_ERROR bad command line format\r\n",
        "VA\r\n",
        "VA x c1 O1\r\n",
        "VA -1 c1 O1\r\n",
        "VA +1 c1 O1\r\nx\r\n",
        "VA 2 c1 O1\r\nxxx\r\n",
        "VA 2 cx O1\r\nxx\r\n",
        "VA 2 c1 O\r\nxx\r\n",
        "VA 99999999999999999999 c1 O1\r\n",
        "HD c99999999999999999999 O1\r\n",
    ] {
        assert!(read_text(text).is_err(), "{text:?}");
    }
    let told = |text| read_text(text).unwrap_err().to_string();
    assert!(told("ERROR Too many open connections\r\n").contains("Too many open"));
    assert!(!told("Bearer secret\r\n").contains("secret"));
    let absurd = format!("VA {} c1 O1\r\n", MAX_VALUE_BYTES + 1);
    assert!(read_text(&absurd).is_err());
    let endless = "E".repeat(1024);
    assert_eq!(read_text(&endless[1..]), Ok(vec![]));
    assert!(read_text(&endless).is_err());
}

#[test]
fn a_value_is_a_slice_of_the_received_bytes() {
    let mut received = BytesMut::from(&b"VA 3 c5 O1\r\nabc\r\n"[..]);
    let begin = received.as_ptr() as usize;
    let Ok(Received::Answer(Answer {
        content: Content::Value(value, Some(5)),
        ..
    })) = take_answer(&mut received)
    else {
        panic!("a value");
    };
    assert_eq!(value.as_ptr() as usize, begin + 12);
}

#[test]
fn it_is_known_how_much_is_missing() {
    let mut received = BytesMut::from(&b"VA 300 c5 O1\r\nabc"[..]);
    assert_eq!(take_answer(&mut received), Ok(Received::Incomplete(299)));
    assert_eq!(received.len(), 17, "nothing is taken");
}

/// An answer, and its bytes.
fn answers() -> impl Strategy<Value = (Answer, Vec<u8>)> {
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        Just(b"\r\nEN O1\r\n".to_vec())
    ];
    let content = prop_oneof![
        (value, any::<u64>())
            .prop_map(|(value, number)| Content::Value(Bytes::from(value), Some(number))),
        (any::<u64>(), any::<u64>()).prop_map(|(count, seconds)| Content::Counter(count, seconds)),
        Just(Content::Absent),
        proptest::option::of(any::<u64>()).prop_map(Content::Done),
        Just(Content::ConditionFailed),
        Just(Content::SignOfLife),
        "[a-z ]{0,20}".prop_map(Content::Refused),
    ];
    (content, any::<u64>()).prop_map(|(content, opaque)| {
        let (text, opaque) = match &content {
            Content::Value(value, number) => {
                let mut bytes =
                    format!("VA {} c{} O{opaque}\r\n", value.len(), number.unwrap()).into_bytes();
                bytes.extend_from_slice(value);
                bytes.extend_from_slice(b"\r\n");
                (bytes, Some(opaque))
            }
            Content::Counter(count, seconds) => {
                let count = count.to_string();
                let line = format!("VA {} t{seconds} O{opaque}\r\n{count}\r\n", count.len());
                (line.into_bytes(), Some(opaque))
            }
            Content::Absent => (b"EN\r\n".to_vec(), None),
            Content::Done(number) => {
                let number = number.map_or(String::new(), |number| format!(" c{number}"));
                (
                    format!("HD{number} kkey O{opaque}\r\n").into_bytes(),
                    Some(opaque),
                )
            }
            Content::ConditionFailed => (format!("EX c0 O{opaque}\r\n").into_bytes(), Some(opaque)),
            Content::SignOfLife => (b"MN\r\n".to_vec(), None),
            Content::Refused(reason) => (format!("SERVER_ERROR {reason}\r\n").into_bytes(), None),
        };
        (Answer { opaque, content }, text)
    })
}

proptest! {
    #[test]
    fn however_the_bytes_arrive_the_answers_are_the_same(
        said in proptest::collection::vec(answers(), 0..8),
        pieces in proptest::collection::vec(1_usize..30, 1..50),
    ) {
        let bytes: Vec<u8> = said.iter().flat_map(|(_, text)| text.clone()).collect();
        let (mut received, mut heard) = (BytesMut::new(), Vec::new());
        let (mut rest, mut lengths) = (&bytes[..], pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
            received.extend_from_slice(piece);
            heard.extend(read_all(&mut received).unwrap());
            rest = later;
        }
        prop_assert!(received.is_empty());
        prop_assert_eq!(heard, said.into_iter().map(|(answer, _)| answer).collect::<Vec<_>>());
    }

    #[test]
    fn garbage_is_a_surprise_or_incomplete_and_ends(
        words in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..12),
                "(VA|HD|EN|NS|SERVER_ERROR|[0-9]{1,21}|c|O|c1|O1| |\r\n|\n)".prop_map(String::into_bytes),
            ],
            0..60,
        ),
    ) {
        let bytes = words.concat();
        let mut received = BytesMut::from(&bytes[..]);
        while let Ok(Received::Answer(_)) = take_answer(&mut received) {}
        prop_assert!(received.len() <= bytes.len());
    }

    #[test]
    fn a_command_is_one_line_whatever_the_key(key in ".{0,260}") {
        if let Some(sent) = Key::new(&key) {
            let mut commands = Vec::new();
            write_look_up(&mut commands, &sent, 1);
            let text = String::from_utf8(commands).unwrap();
            let line = text.strip_suffix("\r\n").unwrap();
            prop_assert!(!line.contains(|character: char| character.is_ascii_control()));
            let words = line.split(' ').count();
            prop_assert!(words == 5 || words == 6, "{}", text);
        }
    }
}
