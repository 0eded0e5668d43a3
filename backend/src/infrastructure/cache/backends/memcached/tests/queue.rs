//! Tests of the queue: shared commands, and the bounds.
//!
//! Come here after changing which commands share a round trip.

use crate::watchdog;
use std::time::{Duration, Instant};

use crate::backends::memcached::promise::Waiting;
use crate::backends::memcached::protocol::{Condition, Content, Key};
use crate::backends::memcached::queue::{Queue, Sent};

fn look_up(queue: &mut Queue, key: &str) -> Result<Waiting, String> {
    queue.look_up(key, &Key::new(key).unwrap())
}

/// Takes the commands that are to be written.
fn take(queue: &mut Queue) -> (String, Vec<Sent>) {
    let (mut bytes, mut commands) = (Vec::new(), Vec::new());
    queue.take(&mut bytes, &mut commands);
    (String::from_utf8(bytes).unwrap(), commands)
}

#[tokio::test]
async fn look_ups_of_one_key_that_are_not_written_share_a_command() {
    watchdog::watch();
    let mut queue = Queue::default();
    let waiting = [
        look_up(&mut queue, "a").unwrap(),
        look_up(&mut queue, "b").unwrap(),
        look_up(&mut queue, "a").unwrap(),
    ];
    let (bytes, commands) = take(&mut queue);
    assert_eq!(bytes, "mg a v c O1\r\nmg b v c O2\r\n");
    commands[0].promise().keep(Ok(Content::Absent));
    drop(commands);
    let [first, other, second] = waiting;
    assert_eq!(first.await, Ok(Content::Absent));
    assert_eq!(second.await, Ok(Content::Absent));
    assert!(
        other.await.is_err(),
        "a promise that is dropped hangs nobody"
    );
}

#[test]
fn c33_a_look_up_that_is_under_way_is_not_joined() {
    let mut queue = Queue::default();
    let _first = look_up(&mut queue, "a").unwrap();
    let (_, _commands) = take(&mut queue);
    let _second = look_up(&mut queue, "a").unwrap();
    assert_eq!(take(&mut queue).0, "mg a v c O2\r\n");
}

#[test]
fn a_key_that_looks_like_another_one_encoded_is_not_that_one() {
    let mut queue = Queue::default();
    let _blank = look_up(&mut queue, "a key").unwrap();
    let _plain = look_up(&mut queue, "YSBrZXk=").unwrap();
    assert_eq!(
        take(&mut queue).0,
        "mg YSBrZXk= v c O1 b\r\nmg YSBrZXk= v c O2\r\n"
    );
}

#[test]
fn a_full_queue_takes_nothing_more() {
    let mut queue = Queue::default();
    let many: Vec<_> = (0..20_000)
        .map(|number| look_up(&mut queue, &number.to_string()))
        .collect();
    assert_eq!(
        many.iter().filter(|waiting| waiting.is_ok()).count(),
        10_000
    );
    // Written commands count until they are answered.
    let (_, commands) = take(&mut queue);
    assert!(look_up(&mut queue, "a").is_err());
    queue.heard(commands.len());
    assert!(look_up(&mut queue, "a").is_ok());
}

#[test]
fn bytes_are_bounded_too() {
    let mut queue = Queue::default();
    let (key, value) = (Key::new("a").unwrap(), vec![b'x'; 33 * 1024 * 1024]);
    let mut store = || queue.store(&key, &value, Condition::None, 1).is_ok();
    assert!(store());
    assert!(store());
    assert!(!store());
}

#[test]
fn of_too_many_who_want_the_same_the_rest_asks_again() {
    let mut queue = Queue::default();
    for _ in 0..3000 {
        look_up(&mut queue, "a").unwrap();
    }
    assert_eq!(take(&mut queue).1.len(), 3);
}

#[test]
fn only_an_answer_to_a_sent_command_is_accepted() {
    let mut queue = Queue::default();
    let _waiting = look_up(&mut queue, "a").unwrap();
    let key = Key::new("a").unwrap();
    let _waiting = queue.store(&key, b"x", Condition::None, 1).unwrap();
    let (_, commands) = take(&mut queue);
    let value = Content::Value("x".into(), Some(1));
    assert!(commands[0].is_answered_by(Some(1), &value));
    assert!(!commands[0].is_answered_by(Some(2), &value));
    assert!(!commands[0].is_answered_by(None, &value));
    assert!(commands[0].is_answered_by(None, &Content::Absent));
    assert!(!commands[0].is_answered_by(Some(2), &Content::Absent));
    assert!(!commands[0].is_answered_by(Some(1), &Content::Done(None)));
    assert!(commands[1].is_answered_by(Some(2), &Content::Done(Some(1))));
    assert!(!commands[1].is_answered_by(Some(2), &Content::Absent));
    assert!(commands[1].is_answered_by(None, &Content::Refused(String::new())));
}

#[test]
fn silence_counts_only_while_something_is_waited_for() {
    let mut queue = Queue::default();
    assert!(!queue.is_silent_for(Duration::ZERO));
    let _waiting = look_up(&mut queue, "a").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !queue.is_silent_for(Duration::from_millis(1)) {
        assert!(Instant::now() < deadline, "silence does not count");
    }
    queue.heard(0);
    assert!(
        !queue.is_silent_for(Duration::from_secs(1)),
        "a sign of life"
    );
    queue.heard(1);
    assert!(!queue.is_silent_for(Duration::ZERO));
}
