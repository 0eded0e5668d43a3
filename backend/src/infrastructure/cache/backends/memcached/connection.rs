//! A connection that many requests share. The commands of one turn of the event loop are sent in one write, and the
//! answers come back in the same order.
//!
//! A task of its own reads and writes. A request puts its command into the queue and waits for the promise of its
//! answer. A request that is dropped changes nothing, because the answer is read in any case.
//!
//! Come here to change reading and writing. The bytes are in `protocol` and the order is in `queue`, not here.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::promise::Waiting;
use super::protocol::{Condition, Key, Received, take_answer};
use super::queue::{Queue, Sent};

/// The room for answers that is reserved, and the least that is read into, in bytes.
const ROOM: usize = 32 * 1024;
const LEAST_ROOM: usize = 4 * 1024;
/// The most room that is reserved at once, in bytes: a server may announce more than it sends.
const MOST_ROOM: usize = 1024 * 1024;
/// Buffers larger than this are freed, in bytes.
const LARGEST_KEPT: usize = 128 * 1024;

/// The requests' side of a connection.
pub(super) struct Connection {
    shared: Mutex<Shared>,
    retired: Notify,
    silence_limit: Duration,
}

#[derive(Default)]
struct Shared {
    queue: Queue,
    /// The waker of the task, while it waits for commands.
    task: Option<Waker>,
    is_retired: bool,
    end: Option<String>,
}

impl Connection {
    /// A connection that counts as silent when the server sends nothing for `silence_limit` although an
    /// answer is due.
    pub(super) fn new(silence_limit: Duration) -> Arc<Self> {
        Arc::new(Self {
            shared: Mutex::default(),
            retired: Notify::new(),
            silence_limit,
        })
    }

    /// Whether more commands may be sent: not after the task has ended, and not while the server is
    /// silent. Checked by the users of the connection, since the task's own runtime may be blocked.
    pub(super) fn is_usable(&self) -> bool {
        let shared = self.shared();
        shared.end.is_none()
            && !shared.is_retired
            && !shared.queue.is_silent_for(self.silence_limit)
    }

    /// Ends the sending of commands. Commands that were sent are answered if the server does so soon.
    pub(super) fn retire(&self) {
        let mut shared = self.shared();
        shared.is_retired = true;
        self.retired.notify_one();
        if let Some(task) = &shared.task {
            task.wake_by_ref();
        }
    }

    /// Looks a key up, together with the other look-ups of this turn.
    pub(super) fn look_up(&self, key: &str, sent_key: &Key<'_>) -> Result<Waiting, String> {
        self.ask(|queue| queue.look_up(key, sent_key))
    }

    /// Stores a value if the condition holds.
    pub(super) fn store(
        &self,
        key: &Key<'_>,
        value: &[u8],
        condition: Condition,
        lifetime: u64,
    ) -> Result<Waiting, String> {
        self.ask(|queue| queue.store(key, value, condition, lifetime))
    }

    /// Deletes a value.
    pub(super) fn delete(&self, key: &Key<'_>) -> Result<Waiting, String> {
        self.ask(|queue| queue.delete(key))
    }

    /// Adds one to a counter. A new counter gets this lifetime, in seconds.
    pub(super) fn increment(&self, key: &Key<'_>, lifetime: u64) -> Result<Waiting, String> {
        self.ask(|queue| queue.increment(key, lifetime))
    }

    /// Subtracts one from a counter.
    pub(super) fn decrement(&self, key: &Key<'_>) -> Result<Waiting, String> {
        self.ask(|queue| queue.decrement(key))
    }

    /// Asks for a sign of life.
    pub(super) fn sign_of_life(&self) -> Result<Waiting, String> {
        self.ask(Queue::sign_of_life)
    }

    fn ask(
        &self,
        question: impl FnOnce(&mut Queue) -> Result<Waiting, String>,
    ) -> Result<Waiting, String> {
        let mut shared = self.shared();
        if let Some(reason) = &shared.end {
            return Err(reason.clone());
        }
        let was_empty = shared.queue.is_empty();
        let waiting = question(&mut shared.queue)?;
        // The first command of a turn wakes the task. The others are in the queue when the task runs.
        if was_empty && let Some(task) = &shared.task {
            task.wake_by_ref();
        }
        Ok(waiting)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads and writes until the connection ends.
pub(super) fn drive(
    connection: Arc<Connection>,
    stream: TcpStream,
) -> impl Future<Output = ()> + Send {
    // The task is made here and not at the first poll. So waiting requests get an error even if the task is never
    // polled.
    let task = Task {
        connection,
        stream,
        written: 0,
        commands: Vec::new(),
        sent: VecDeque::new(),
        received: BytesMut::new(),
        missing: 0,
        end: "the task of the connection has ended".to_owned(),
    };
    task.run()
}

/// The task's side of a connection.
struct Task {
    connection: Arc<Connection>,
    stream: TcpStream,
    /// Commands that are being written, and the number of bytes written.
    commands: Vec<u8>,
    written: usize,
    /// Commands with an answer due, in order.
    sent: VecDeque<Sent>,
    received: BytesMut,
    /// The number of missing bytes of the answer that has begun.
    missing: usize,
    end: String,
}

impl Task {
    async fn run(mut self) {
        let connection = Arc::clone(&self.connection);
        let last_answers = async {
            connection.retired.notified().await;
            sleep(connection.silence_limit).await;
        };
        self.end = tokio::select! {
            biased;
            end = std::future::poll_fn(|context| self.poll(context)) => end,
            () = last_answers => "no answer came".to_owned(),
        };
    }

    /// Reads and writes as much as possible; ready with the reason when the connection ends.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<String> {
        if let Poll::Ready(end) = self.poll_read(context) {
            return Poll::Ready(end);
        }
        self.poll_write(context)
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<String> {
        loop {
            if self.written == self.commands.len() {
                self.written = 0;
                if self.commands.capacity() > LARGEST_KEPT {
                    self.commands = Vec::new();
                }
                self.commands.clear();
                let mut shared = self.connection.shared();
                if shared.is_retired && !shared.queue.awaits_answers() {
                    return Poll::Ready("the connection was retired".to_owned());
                }
                shared.queue.take(&mut self.commands, &mut self.sent);
                if self.commands.is_empty() {
                    match &mut shared.task {
                        Some(waker) => waker.clone_from(context.waker()),
                        None => shared.task = Some(context.waker().clone()),
                    }
                    return Poll::Pending;
                }
            }
            let rest = &self.commands[self.written..];
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest)) {
                Ok(0) => return Poll::Ready("the connection accepts no more bytes".to_owned()),
                Ok(length) => self.written += length,
                Err(error) => return Poll::Ready(error.to_string()),
            }
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<String> {
        loop {
            if self.received.capacity() - self.received.len() < LEAST_ROOM.max(self.missing) {
                self.received.reserve(self.missing.clamp(ROOM, MOST_ROOM));
            }
            // Dropped while it waits, it has read nothing.
            let reading = pin!(self.stream.read_buf(&mut self.received));
            match ready!(reading.poll(context)) {
                Ok(0) => return Poll::Ready("the server closed the connection".to_owned()),
                Ok(_) => {}
                Err(error) => return Poll::Ready(error.to_string()),
            }
            if let Err(end) = self.deliver() {
                return Poll::Ready(end);
            }
        }
    }

    /// Delivers the received answers.
    fn deliver(&mut self) -> Result<(), String> {
        let mut answers = 0;
        loop {
            match take_answer(&mut self.received).map_err(|surprise| surprise.to_string())? {
                Received::Answer(answer) => {
                    let command = self.sent.pop_front();
                    let command = command.ok_or("the server sent an answer without a command")?;
                    if !command.is_answered_by(answer.opaque, &answer.content) {
                        return Err("the server's answer belongs to another command".to_owned());
                    }
                    command.promise().keep(Ok(answer.content));
                    answers += 1;
                }
                Received::Incomplete(missing) => {
                    self.missing = missing;
                    break;
                }
            }
        }
        if self.received.is_empty() && self.received.capacity() > LARGEST_KEPT {
            self.received = BytesMut::new();
        }
        // A part of a large answer is a sign of life too.
        self.connection.shared().queue.heard(answers);
        Ok(())
    }
}

/// When the task ends, for any reason, all waiting requests get an error, and no more commands are accepted.
impl Drop for Task {
    fn drop(&mut self) {
        let mut shared = self.connection.shared();
        shared.end = Some(self.end.clone());
        shared.task = None;
        shared.queue.take(&mut self.commands, &mut self.sent);
        drop(shared);
        for command in self.sent.drain(..) {
            command.promise().keep(Err(self.end.clone()));
        }
    }
}
