//! Batched look-ups: all look-ups of one turn of the event loop are one message to the server, with each key once.
//!
//! A command by itself costs a message to the connection's task, a packet or a part of one, a dispatch
//! in the server, and the way back. A batch is sent at the end of the turn in which it began, when the connection's task
//! would have written a single command too. So no request waits longer for being in a batch. Each thread has
//! batches of its own, so that the timer of a look-up runs on its own thread.
//!
//! No request joins a batch that has been sent. The server reads the key after every request that gets the
//! answer has asked for it, so each of them sees the writes that were acknowledged before its own
//! look-up (C33).
//!
//! Come here when reading is slow. The deadline of a read, and its repetition at half of that, are in `second_attempt`. A
//! value is not interpreted here.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Value;
use tokio::sync::oneshot;

use super::answers::{failed, read};
use super::connections::Lanes;
use crate::backends::contract::{BackendError, Found};
use crate::backends::lanes::thread_number;

/// The command that reads a key.
const GET: &str = "GET";
/// The most keys in one message. Beyond that, the next message begins.
const LARGEST_BATCH: usize = 128;
/// The number of threads with a batch of their own. Beyond that, two threads share one, and wait for
/// each other.
const THREADS: usize = 256;

type Answer = Result<Option<Found>, BackendError>;
/// The requests that wait for one key.
type Requests = Vec<oneshot::Sender<Answer>>;
/// The requests of each key. Keys contain what clients send, so the hash has a random seed.
type Batch = HashMap<String, Requests, foldhash::fast::RandomState>;

/// The look-ups of a process.
#[derive(Clone)]
pub(super) struct Lookups {
    lanes: Lanes,
    /// The batch of each thread that is not sent yet.
    batches: Arc<[Mutex<Batch>]>,
    deadline: Duration,
}

impl Lookups {
    /// Look-ups on these connections. Each ends after the deadline.
    pub(super) fn new(lanes: Lanes, deadline: Duration) -> Self {
        Self {
            batches: (0..THREADS).map(|_| Mutex::default()).collect(),
            lanes,
            deadline,
        }
    }

    /// The value under the key, or an error after the deadline. All look-ups of a batch share one timer.
    pub(super) async fn get(&self, key: &str) -> Answer {
        // The batch is dropped without an answer only where the runtime ends.
        let dropped = |_| Err(BackendError::unavailable("the process is ending"));
        self.join(key).await.unwrap_or_else(dropped)
    }

    /// Joins the batch of this turn of the event loop.
    fn join(&self, key: &str) -> oneshot::Receiver<Answer> {
        let thread = thread_number() % THREADS;
        let (sender, receiver) = oneshot::channel();
        let mut batch = self.batch(thread);
        if let Some(others) = batch.get_mut(key) {
            others.push(sender);
            return receiver;
        }
        let is_first = batch.is_empty();
        batch.insert(key.to_owned(), vec![sender]);
        let is_full = batch.len() >= LARGEST_BATCH;
        let full = is_full.then(|| mem::take(&mut *batch));
        drop(batch);
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

    /// The batch of a thread that is not sent yet.
    fn batch(&self, thread: usize) -> MutexGuard<'_, Batch> {
        self.batches[thread]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up all keys of a batch at once.
    async fn ask(&self, batch: Batch) {
        let (keys, requests_of_keys): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let mut gets = redis::Pipeline::with_capacity(keys.len());
        gets.ignore_errors();
        for key in &keys {
            // The name is an argument too.
            let mut get = redis::Cmd::with_capacity(2, GET.len() + key.len());
            get.arg(GET).arg(key);
            gets.add_command(get);
        }
        let (gets, lanes) = (&gets, &self.lanes);
        let asked = lanes.ask(self.deadline, |mut placed| async move {
            let answers = gets.query_async::<Vec<Value>>(&mut placed.connection).await;
            let answers = answers.map_err(|error| failed(lanes, placed.place, error))?;
            Ok((placed.place, answers))
        });
        match asked.await {
            Ok((place, answers)) => {
                for (answer, requests) in answers.into_iter().zip(requests_of_keys) {
                    deliver(&read(&self.lanes, place, answer), requests);
                }
            }
            Err(error) => {
                let answer = Err(error);
                for requests in requests_of_keys {
                    deliver(&answer, requests);
                }
            }
        }
    }
}

/// Gives the answer of a key to all its requests.
fn deliver(answer: &Answer, requests: Requests) {
    for request in requests {
        // A request that has ended needs no answer.
        let _ = request.send(answer.clone());
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
        let batch = full.unwrap_or_else(|| mem::take(&mut *self.lookups.batch(self.thread)));
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
            self.lookups.batch(self.thread).clear();
        }
    }
}
