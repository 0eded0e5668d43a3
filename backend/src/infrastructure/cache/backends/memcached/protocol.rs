//! Memcached's meta commands as bytes: writing commands and reading answers.
//!
//! Come here to change a command, or the reading of an answer. Nothing here knows a connection.
//!
//! Every command carries a number of its own (the *opaque* of the protocol) that the server repeats in its answer, so
//! that an answer is never taken for another command's.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};

/// The longest key that the server accepts, in bytes.
pub(super) const MAX_KEY_BYTES: usize = 250;
/// The largest value that is stored or read, in bytes. A larger announcement of a server is an error.
pub(super) const MAX_VALUE_BYTES: usize = 128 * 1024 * 1024;
/// The longest first line of an answer, in bytes. The longest that a server sends has some 80.
const MAX_LINE_BYTES: usize = 1024;
/// The server reads larger lifetimes as points in time (seconds since the Unix epoch).
const LONGEST_RELATIVE_SECONDS: u64 = 30 * 24 * 3600;
/// The last point in time that the server can represent.
const LAST_MOMENT: u64 = i32::MAX as u64;

/// A key in the form in which it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key<'a> {
    sent: Cow<'a, str>,
    is_encoded: bool,
}

impl<'a> Key<'a> {
    /// `None` where the server does not accept the key. A key with blanks or control characters is sent
    /// as base64, as the crate `memcache` does, and must fit in that form.
    pub(super) fn new(key: &'a str) -> Option<Self> {
        let is_encoded = key.bytes().any(|byte| byte <= b' ' || byte == 0x7f);
        let sent = if is_encoded {
            Cow::Owned(STANDARD.encode(key))
        } else {
            Cow::Borrowed(key)
        };
        (1..=MAX_KEY_BYTES)
            .contains(&sent.len())
            .then_some(Self { sent, is_encoded })
    }

    fn write(&self, commands: &mut Vec<u8>) {
        commands.extend_from_slice(self.sent.as_bytes());
    }

    fn write_flag(&self, commands: &mut Vec<u8>) {
        if self.is_encoded {
            commands.extend_from_slice(b" b");
        }
    }
}

/// The state that a key must have for a value to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Any state.
    None,
    /// Absent.
    Absent,
    /// The value with this number.
    Number(u64),
}

/// Appends the command that reads a value and its number.
pub(super) fn write_look_up(commands: &mut Vec<u8>, key: &Key<'_>, opaque: u64) {
    commands.extend_from_slice(b"mg ");
    key.write(commands);
    // Writing into memory does not fail.
    let _ = write!(commands, " v c O{opaque}");
    key.write_flag(commands);
    commands.extend_from_slice(b"\r\n");
}

/// Appends the command that stores a value and asks for its number.
pub(super) fn write_store(
    commands: &mut Vec<u8>,
    key: &Key<'_>,
    value: &[u8],
    condition: Condition,
    lifetime: u64,
    opaque: u64,
) {
    commands.extend_from_slice(b"ms ");
    key.write(commands);
    let _ = write!(commands, " {} T{lifetime} c O{opaque}", value.len());
    let _ = match condition {
        Condition::None => Ok(()),
        Condition::Absent => commands.write_all(b" ME"),
        Condition::Number(number) => write!(commands, " C{number}"),
    };
    key.write_flag(commands);
    commands.extend_from_slice(b"\r\n");
    commands.extend_from_slice(value);
    commands.extend_from_slice(b"\r\n");
}

/// Appends the command that adds one to a counter. A new counter begins with 1 and gets this lifetime.
pub(super) fn write_increment(commands: &mut Vec<u8>, key: &Key<'_>, lifetime: u64, opaque: u64) {
    commands.extend_from_slice(b"ma ");
    key.write(commands);
    let _ = write!(commands, " N{lifetime} J1 D1 MI v t O{opaque}");
    key.write_flag(commands);
    commands.extend_from_slice(b"\r\n");
}

/// Appends the command that subtracts one from a counter. The server stops at 0 and creates no counter.
pub(super) fn write_decrement(commands: &mut Vec<u8>, key: &Key<'_>, opaque: u64) {
    commands.extend_from_slice(b"ma ");
    key.write(commands);
    let _ = write!(commands, " D1 MD v t O{opaque}");
    key.write_flag(commands);
    commands.extend_from_slice(b"\r\n");
}

/// Appends the command that deletes a value.
pub(super) fn write_delete(commands: &mut Vec<u8>, key: &Key<'_>, opaque: u64) {
    commands.extend_from_slice(b"md ");
    key.write(commands);
    let _ = write!(commands, " O{opaque}");
    key.write_flag(commands);
    commands.extend_from_slice(b"\r\n");
}

/// Appends a command without effect, for a sign of life. It carries no number.
pub(super) fn write_sign_of_life(commands: &mut Vec<u8>) {
    commands.extend_from_slice(b"mn\r\n");
}

/// The lifetime of a value in whole seconds, bounded so that its end can be represented.
pub(super) fn lifetime_seconds(expiration: Duration, now: SystemTime) -> u32 {
    let longest = LAST_MOMENT.saturating_sub(since_epoch(now)).max(1);
    let seconds = expiration.as_millis().div_ceil(1000);
    let seconds = seconds.clamp(1, u128::from(longest));
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// A lifetime in the form in which it is sent: a long one as the point in time of its end.
pub(super) fn lifetime_on_the_wire(expiration: Duration, now: SystemTime) -> u64 {
    let seconds = u64::from(lifetime_seconds(expiration, now));
    if seconds > LONGEST_RELATIVE_SECONDS {
        seconds + since_epoch(now)
    } else {
        seconds
    }
}

fn since_epoch(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The content of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A value, and its number if the server sent it.
    Value(Bytes, Option<u64>),
    /// A counter, and the seconds until it ends.
    Counter(u64, u64),
    /// The key is absent.
    Absent,
    /// Done. For a stored value, its number if the server sent it.
    Done(Option<u64>),
    /// Not done: the condition did not hold, or the key to delete was absent.
    ConditionFailed,
    /// A sign of life.
    SignOfLife,
    /// The server is available but refuses the command: the value is too large, or memory is full.
    Refused(String),
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The command's number. Refusals lack it, and so do misses before 1.6.18.
    pub(super) opaque: Option<u64>,
    pub(super) content: Content,
}

/// The result of reading the received bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// An answer, which has been taken from the bytes.
    Answer(Answer),
    /// A part of an answer; at least so many bytes are missing.
    Incomplete(usize),
}

/// Bytes that do not follow the protocol. The rest of the connection cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not Memcached's protocol: {0}")]
pub(super) struct Surprise(String);

/// Takes the next answer from the received bytes. A value is a slice of them, not a copy.
pub(super) fn take_answer(received: &mut BytesMut) -> Result<Received, Surprise> {
    let searched = &received[..received.len().min(MAX_LINE_BYTES)];
    let Some(end) = searched.iter().position(|byte| *byte == b'\n') else {
        return if searched.len() < MAX_LINE_BYTES {
            Ok(Received::Incomplete(1))
        } else {
            Err(surprise(searched))
        };
    };
    let line = &searched[..end];
    let line = line.strip_suffix(b"\r").ok_or_else(|| surprise(line))?;
    let (code, arguments) = split(line);
    if code == b"VA" {
        let (length, arguments) = split(arguments);
        let length = number(length).and_then(|length| usize::try_from(length).ok());
        let length = length
            .filter(|length| *length <= MAX_VALUE_BYTES)
            .ok_or_else(|| surprise(line))?;
        let tokens = Tokens::read(arguments).ok_or_else(|| surprise(line))?;
        let begin = end + 1;
        let whole = begin + length + 2;
        if received.len() < whole {
            return Ok(Received::Incomplete(whole - received.len()));
        }
        if &received[begin + length..whole] != b"\r\n" {
            return Err(Surprise("a value does not end where it should".to_owned()));
        }
        let value = received.split_to(whole).freeze();
        let value = value.slice(begin..begin + length);
        // Only the commands for counters ask for the remaining time.
        let content = match tokens.seconds {
            Some(seconds) => Content::Counter(
                number(value.trim_ascii())
                    .ok_or_else(|| Surprise("a counter is no number".to_owned()))?,
                seconds,
            ),
            None => Content::Value(value, tokens.number),
        };
        return Ok(Received::Answer(Answer {
            opaque: tokens.opaque,
            content,
        }));
    }
    let answer = if code == b"SERVER_ERROR" {
        Answer {
            opaque: None,
            content: Content::Refused(String::from_utf8_lossy(arguments).into_owned()),
        }
    } else {
        let tokens = Tokens::read(arguments).ok_or_else(|| surprise(line))?;
        Answer {
            opaque: tokens.opaque,
            content: match code {
                b"EN" => Content::Absent,
                b"HD" => Content::Done(tokens.number),
                b"MN" => Content::SignOfLife,
                b"NS" | b"EX" | b"NF" => Content::ConditionFailed,
                _ => return Err(surprise(line)),
            },
        }
    };
    let _ = received.split_to(end + 1);
    Ok(Received::Answer(answer))
}

/// The tokens of an answer that are used here.
#[derive(Default)]
struct Tokens {
    opaque: Option<u64>,
    number: Option<u64>,
    seconds: Option<u64>,
}

impl Tokens {
    /// `None` where one of them is not a number.
    fn read(mut arguments: &[u8]) -> Option<Self> {
        let mut tokens = Self::default();
        while !arguments.is_empty() {
            let (token, rest) = split(arguments);
            match token.split_first() {
                Some((b'O', digits)) => tokens.opaque = Some(number(digits)?),
                Some((b'c', digits)) => tokens.number = Some(number(digits)?),
                // `t-1` means no expiry. The counters of this cache always have one.
                Some((b't', digits)) => tokens.seconds = Some(number(digits).unwrap_or_default()),
                _ => {}
            }
            arguments = rest;
        }
        Some(tokens)
    }
}

/// The first word, and the rest.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| *byte == b' ') {
        Some(end) => (&line[..end], &line[end + 1..]),
        None => (line, &[]),
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number
        .then(|| std::str::from_utf8(digits).ok()?.parse().ok())
        .flatten()
}

/// Only the server's own error messages are shown: other lines may contain data of users.
fn surprise(line: &[u8]) -> Surprise {
    let complains = line.starts_with(b"ERROR") || line.starts_with(b"CLIENT_ERROR");
    let shown = if complains {
        &line[..line.len().min(80)]
    } else {
        b"an unknown answer"
    };
    Surprise(String::from_utf8_lossy(shown).into_owned())
}
