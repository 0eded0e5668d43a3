//! Batched look-ups: all look-ups of one turn of the event loop are one message to the server, with each key once.
//!
//! A command by itself costs a message to the connection's task, a packet or a part of one, a dispatch
//! in the server, and the way back. Under load many requests look up in the same turn of a worker's
//! event loop, before the connection's task writes, so no request waits for a batch. Each thread has
//! batches of its own, so that the timer of a look-up runs on its own thread.
//!
//! No request joins a batch that has been sent. The server reads the key after every request that gets the
//! answer has asked for it, so each of them sees the writes that were acknowledged before its own
//! look-up (C33).
//!
//! Come here when reading is slow, or for the deadline of a read. A look-up is sent again at half of its deadline; see
//! `second_attempt`. A value is not interpreted here.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Value;
use tokio::sync::oneshot;

use super::answers::{failed, read};
use super::connections::Lanes;
use crate::infrastructure::cache::backends::contract::{BackendError, Found};
use crate::infrastructure::cache::backends::lanes::thread_number;

/// The most keys in one message. Beyond that, the next message begins.
const LARGEST_BATCH: usize = 128;
/// The number of threads with a batch of their own. Beyond that, two threads share one, and wait for
/// each other.
const THREADS: usize = 256;

type Answer = Result<Option<Found>, BackendError>;
/// The waiting requests of each key.
type Batch = HashMap<String, Vec<oneshot::Sender<Answer>>>;

/// The look-ups of a process.
#[derive(Clone)]
pub(super) struct Lookups {
    lanes: Lanes,
    /// The look-ups that are not sent yet, for each thread.
    waiting: Arc<[Mutex<Batch>]>,
    deadline: Duration,
}

impl Lookups {
    /// Look-ups on these connections. Each ends after the deadline.
    pub(super) fn new(lanes: Lanes, deadline: Duration) -> Self {
        Self {
            waiting: (0..THREADS).map(|_| Mutex::default()).collect(),
            lanes,
            deadline,
        }
    }

    /// The value under the key, or an error after the deadline. All look-ups of a batch share one timer.
    pub(super) async fn get(&self, key: &str) -> Answer {
        // A look-up has no answer only where the runtime has ended.
        let given_up = |_| Err(BackendError::no_answer_within(self.deadline));
        self.join(key).await.unwrap_or_else(given_up)
    }

    /// Joins the batch of this turn of the event loop.
    fn join(&self, key: &str) -> oneshot::Receiver<Answer> {
        let thread = thread_number() % THREADS;
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting(thread);
        if let Some(others) = waiting.get_mut(key) {
            others.push(sender);
            return receiver;
        }
        let is_first = waiting.is_empty();
        waiting.insert(key.to_owned(), vec![sender]);
        let is_full = waiting.len() >= LARGEST_BATCH;
        let full = is_full.then(|| mem::take(&mut *waiting));
        drop(waiting);
        if is_first || is_full {
            let sending = Sending {
                lookups: self.clone(),
                thread,
                is_sent: false,
            };
            // The batch is sent by a task of its own, because the first request may end while the others still wait.
            tokio::spawn(sending.run(full));
        }
        receiver
    }

    fn waiting(&self, thread: usize) -> MutexGuard<'_, Batch> {
        self.waiting[thread]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up all keys of a batch at once.
    async fn ask(&self, batch: Batch) {
        let (keys, waiting): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let mut gets = redis::Pipeline::with_capacity(keys.len());
        gets.ignore_errors();
        for key in &keys {
            gets.cmd("GET").arg(key);
        }
        let (gets, lanes) = (&gets, &self.lanes);
        let asked = lanes.ask(self.deadline, |mut ticket| async move {
            let answers = gets.query_async::<Vec<Value>>(&mut ticket.connection).await;
            let answers = answers.map_err(|error| failed(lanes, ticket.place, error))?;
            Ok((ticket.place, answers))
        });
        match asked.await {
            Ok((place, answers)) => {
                for (answer, waiting) in answers.into_iter().zip(waiting) {
                    deliver(&read(&self.lanes, place, answer), waiting);
                }
            }
            Err(error) => {
                let answer = Err(error);
                for waiting in waiting {
                    deliver(&answer, waiting);
                }
            }
        }
    }
}

/// Gives the answer to all waiting requests.
fn deliver(answer: &Answer, waiting: Vec<oneshot::Sender<Answer>>) {
    for waiter in waiting {
        // A request that has ended needs no answer.
        let _ = waiter.send(answer.clone());
    }
}

/// A batch that will be sent at the end of the turn.
struct Sending {
    lookups: Lookups,
    thread: usize,
    is_sent: bool,
}

impl Sending {
    /// Sends the full batch, or otherwise the look-ups so far.
    async fn run(mut self, full: Option<Batch>) {
        let batch = full.unwrap_or_else(|| mem::take(&mut *self.lookups.waiting(self.thread)));
        self.is_sent = true;
        if !batch.is_empty() {
            self.lookups.ask(batch).await;
        }
    }
}

impl Drop for Sending {
    /// If the runtime ends before the batch is sent, no more requests join it.
    fn drop(&mut self) {
        if !self.is_sent {
            self.lookups.waiting(self.thread).clear();
        }
    }
}
