//! What is asked of a connection and not written yet.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::promise::{Promise, Waiting};
use super::protocol::{
    Condition, Content, Key, write_delete, write_look_up, write_sign_of_life, write_store,
};

/// How many commands of a connection may be without an answer.
const MOST_COMMANDS: usize = 10_000;
/// How much may wait to be written before nothing more is taken.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    LookUp,
    Store,
    Delete,
    SignOfLife,
}

/// A command that was or will be sent.
pub(super) struct Sent {
    opaque: u64,
    kind: Kind,
    promise: Promise,
}

impl Sent {
    /// Whether the answer is one to this command.
    pub(super) fn is_answered_by(&self, opaque: Option<u64>, content: &Content) -> bool {
        let changes = matches!(self.kind, Kind::Store | Kind::Delete);
        let is_fitting = match content {
            Content::Value(..) => self.kind == Kind::LookUp && opaque.is_some(),
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

/// Commands that wait to be written, and how the connection fares.
#[derive(Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    commands: Vec<Sent>,
    /// Look-ups among them, by key. Whoever asks for such a key now may share the command, since it is
    /// sent after this moment. One that was sent already may not be joined: a write that was
    /// acknowledged meanwhile would not be seen (C33).
    look_ups: HashMap<String, usize>,
    last_opaque: u64,
    /// Written or not.
    unanswered: usize,
    /// Since when nothing has been heard, where something is waited for.
    silent_since: Option<Instant>,
}

impl Queue {
    /// Asks for a value, together with others that ask for it now.
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

    /// Whether something is waited for, and nothing has been heard for longer than this.
    pub(super) fn is_silent_for(&self, patience: Duration) -> bool {
        self.silent_since
            .is_some_and(|since| since.elapsed() > patience)
    }

    /// Moves all to those that are being sent; from now on they are not joined.
    pub(super) fn take(&mut self, bytes: &mut Vec<u8>, commands: &mut impl Extend<Sent>) {
        std::mem::swap(&mut self.bytes, bytes);
        commands.extend(self.commands.drain(..));
        self.look_ups.clear();
    }

    /// So many commands have been answered.
    pub(super) fn heard(&mut self, answers: usize) {
        self.unanswered = self.unanswered.saturating_sub(answers);
        self.silent_since = self.awaits_answers().then(Instant::now);
    }
}
