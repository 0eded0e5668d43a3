//! Commands of a connection that are not written yet.
//!
//! Come here to change which look-ups share a command, and the bounds of a connection. Nothing here
//! reads or writes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::promise::{Promise, Waiting};
use super::protocol::{
    Condition, Content, Key, write_decrement, write_delete, write_increment, write_look_up,
    write_sign_of_life, write_store,
};

/// The most commands of a connection that may be without an answer.
const MOST_COMMANDS: usize = 10_000;
/// The most bytes that may wait to be written. Beyond that, commands are refused.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// The kind of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    LookUp,
    Store,
    Delete,
    Count,
    SignOfLife,
}

/// A command that was or will be sent.
pub(super) struct Sent {
    opaque: u64,
    kind: Kind,
    promise: Promise,
}

impl Sent {
    /// Whether the answer belongs to this command.
    pub(super) fn is_answered_by(&self, opaque: Option<u64>, content: &Content) -> bool {
        let changes = matches!(self.kind, Kind::Store | Kind::Delete | Kind::Count);
        let is_fitting = match content {
            Content::Value(..) => self.kind == Kind::LookUp && opaque.is_some(),
            Content::Counter(..) => self.kind == Kind::Count && opaque.is_some(),
            Content::Absent => self.kind == Kind::LookUp,
            Content::Done(_) | Content::ConditionFailed => changes,
            Content::SignOfLife => self.kind == Kind::SignOfLife,
            Content::Refused(_) => true,
        };
        is_fitting && opaque.is_none_or(|opaque| opaque == self.opaque)
    }

    pub(super) fn promise(&self) -> &Promise {
        &self.promise
    }
}

/// Commands that wait to be written, and the state of the connection.
#[derive(Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    commands: Vec<Sent>,
    /// The look-ups among the waiting commands, by key. A second look-up of the key shares a command that is not sent
    /// yet. It never shares a command that was sent, because the answer may be from before a write that was
    /// acknowledged meanwhile (C33).
    look_ups: HashMap<String, usize>,
    last_opaque: u64,
    /// The number of commands without an answer, written or not.
    unanswered: usize,
    /// The beginning of the server's silence while an answer is due.
    silent_since: Option<Instant>,
}

impl Queue {
    /// Looks a key up, together with the other look-ups of this turn.
    pub(super) fn look_up(&mut self, key: &str, sent_key: &Key<'_>) -> Result<Waiting, String> {
        if let Some(place) = self.look_ups.get(key)
            && let Some(command) = self.commands.get(*place)
            && let Some(waiting) = command.promise.join()
        {
            return Ok(waiting);
        }
        let place = self.commands.len();
        let waiting = self.push(Kind::LookUp, |bytes, opaque| {
            write_look_up(bytes, sent_key, opaque);
        })?;
        self.look_ups.insert(key.to_owned(), place);
        Ok(waiting)
    }

    /// Stores a value.
    pub(super) fn store(
        &mut self,
        key: &Key<'_>,
        value: &[u8],
        condition: Condition,
        lifetime: u64,
    ) -> Result<Waiting, String> {
        self.push(Kind::Store, |bytes, opaque| {
            write_store(bytes, key, value, condition, lifetime, opaque);
        })
    }

    /// Deletes a value.
    pub(super) fn delete(&mut self, key: &Key<'_>) -> Result<Waiting, String> {
        self.push(Kind::Delete, |bytes, opaque| {
            write_delete(bytes, key, opaque);
        })
    }

    /// Adds one to a counter. A new counter gets this lifetime, in seconds.
    pub(super) fn increment(&mut self, key: &Key<'_>, lifetime: u64) -> Result<Waiting, String> {
        self.push(Kind::Count, |bytes, opaque| {
            write_increment(bytes, key, lifetime, opaque);
        })
    }

    /// Subtracts one from a counter.
    pub(super) fn decrement(&mut self, key: &Key<'_>) -> Result<Waiting, String> {
        self.push(Kind::Count, |bytes, opaque| {
            write_decrement(bytes, key, opaque);
        })
    }

    /// Asks for a sign of life.
    pub(super) fn sign_of_life(&mut self) -> Result<Waiting, String> {
        self.push(Kind::SignOfLife, |bytes, _| write_sign_of_life(bytes))
    }

    fn push(
        &mut self,
        kind: Kind,
        write: impl FnOnce(&mut Vec<u8>, u64),
    ) -> Result<Waiting, String> {
        if self.unanswered >= MOST_COMMANDS || self.bytes.len() >= MOST_BYTES {
            return Err(format!(
                "the queue is full: {} commands without an answer",
                self.unanswered
            ));
        }
        self.last_opaque += 1;
        let promise = Promise::new();
        let waiting = promise.join().ok_or("a new promise has room")?;
        write(&mut self.bytes, self.last_opaque);
        self.commands.push(Sent {
            opaque: self.last_opaque,
            kind,
            promise,
        });
        self.unanswered += 1;
        self.silent_since.get_or_insert_with(Instant::now);
        Ok(waiting)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    pub(super) fn awaits_answers(&self) -> bool {
        self.unanswered > 0
    }

    /// Whether an answer is due and the server has been silent for longer than `silence_limit`.
    pub(super) fn is_silent_for(&self, silence_limit: Duration) -> bool {
        self.silent_since
            .is_some_and(|since| since.elapsed() > silence_limit)
    }

    /// Moves all commands to the sent ones. From now on they are not shared.
    pub(super) fn take(&mut self, bytes: &mut Vec<u8>, commands: &mut impl Extend<Sent>) {
        std::mem::swap(&mut self.bytes, bytes);
        commands.extend(self.commands.drain(..));
        self.look_ups.clear();
    }

    /// Records that this number of answers has arrived.
    pub(super) fn heard(&mut self, answers: usize) {
        self.unanswered = self.unanswered.saturating_sub(answers);
        self.silent_since = self.awaits_answers().then(Instant::now);
    }
}
