//! Look-ups that leave together: what is asked for in the same turn of the event loop is one message to
//! the server, and the same key is asked for once.
//!
//! A command by itself costs a message to the connection's task, a packet or a part of one, a dispatch
//! in the server, and the way back. Under load many requests ask in the same turn of a worker's event
//! loop, before the connection's task comes to write, so nothing waits for this to happen.
//!
//! Nobody joins a look-up that has left: the server reads the key after everybody who gets the answer
//! has asked for it, so a write that was acknowledged before somebody asked is seen by all (C33).

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use redis::{RedisError, Value, from_redis_value};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::answers::{failed, version_of};
use super::connections::{Lanes, Ticket};
use crate::infrastructure::cache::backends::contract::{BackendError, Found, Version};

/// How many keys are asked for in one message. Past that the next one begins.
const LARGEST_BATCH: usize = 128;

type Answer = Result<Option<Found>, BackendError>;
/// Who waits for which key.
type Batch = HashMap<String, Vec<oneshot::Sender<Answer>>>;

/// The look-ups of a process.
#[derive(Clone)]
pub(super) struct Lookups {
    lanes: Lanes,
    /// What has not left yet, for each lane.
    waiting: Arc<[Mutex<Batch>]>,
    deadline: Duration,
}

impl Lookups {
    /// Look-ups on these lanes, each of which is given up after the deadline.
    pub(super) fn new(lanes: Lanes, deadline: Duration) -> Self {
        Self {
            waiting: (0..lanes.count()).map(|_| Mutex::default()).collect(),
            lanes,
            deadline,
        }
    }

    /// The value under the key, or an error after the deadline: one timer for all who leave together.
    pub(super) async fn get(&self, key: &str) -> Answer {
        let given_up = |_| Err(BackendError::no_answer_within(self.deadline));
        self.join(key).await.unwrap_or_else(given_up)
    }

    /// Joins those who ask in this turn of the event loop.
    fn join(&self, key: &str) -> oneshot::Receiver<Answer> {
        let lane = self.lanes.number_of_thread();
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting(lane);
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
            let departure = Departure {
                lookups: self.clone(),
                lane,
                has_left: false,
            };
            // A task of its own: whoever asked first may leave, the others still wait.
            tokio::spawn(departure.run(full));
        }
        receiver
    }

    fn waiting(&self, lane: usize) -> MutexGuard<'_, Batch> {
        self.waiting[lane]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for all keys of a batch at once.
    async fn ask(&self, lane: usize, batch: Batch) {
        let (keys, waiting): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let mut gets = redis::Pipeline::with_capacity(keys.len());
        gets.ignore_errors();
        for key in &keys {
            gets.cmd("GET").arg(key);
        }
        let asked = async {
            let mut ticket = self
                .lanes
                .ticket(lane)
                .await
                .map_err(BackendError::Unavailable)?;
            let answers = gets.query_async::<Vec<Value>>(&mut ticket.connection).await;
            let answers = answers.map_err(|error| failed(&self.lanes, &ticket, error))?;
            Ok((ticket, answers))
        };
        match timeout(self.deadline, asked).await {
            Ok(Ok((ticket, answers))) => {
                for (answer, waiting) in answers.into_iter().zip(waiting) {
                    deliver(&read(&self.lanes, &ticket, answer), waiting);
                }
            }
            Ok(Err(error)) => {
                let answer = Err(error);
                for waiting in waiting {
                    deliver(&answer, waiting);
                }
            }
            // Those who wait are told by their senders' end.
            Err(_) => {}
        }
    }
}

/// What the answer to a GET says.
pub(super) fn read(lanes: &Lanes, ticket: &Ticket, answer: Value) -> Answer {
    match answer {
        // A value of another type is foreign, and a miss.
        Value::ServerError(error) if error.code() == "WRONGTYPE" => Ok(Some(Found {
            value: Bytes::new(),
            version: Version::Anything,
        })),
        Value::ServerError(error) => Err(failed(lanes, ticket, RedisError::from(error))),
        answer => {
            let value: Option<Bytes> = from_redis_value(answer)
                .map_err(|error| BackendError::Unavailable(error.to_string()))?;
            Ok(value.map(|value| Found {
                version: version_of(&value),
                value,
            }))
        }
    }
}

/// Gives everybody who waited the answer.
fn deliver(answer: &Answer, waiting: Vec<oneshot::Sender<Answer>>) {
    for waiter in waiting {
        // Whoever has left needs no answer.
        let _ = waiter.send(answer.clone());
    }
}

/// A batch about to leave.
struct Departure {
    lookups: Lookups,
    lane: usize,
    has_left: bool,
}

impl Departure {
    /// Takes a full batch, or else whatever has come by now.
    async fn run(mut self, full: Option<Batch>) {
        let batch = full.unwrap_or_else(|| mem::take(&mut *self.lookups.waiting(self.lane)));
        self.has_left = true;
        if !batch.is_empty() {
            self.lookups.ask(self.lane, batch).await;
        }
    }
}

impl Drop for Departure {
    /// Where the runtime ends before the batch has left, nobody joins it any more.
    fn drop(&mut self) {
        if !self.has_left {
            self.lookups.waiting(self.lane).clear();
        }
    }
}
