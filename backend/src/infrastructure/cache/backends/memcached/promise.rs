//! One answer, promised by a connection to all requests that wait for it.
//!
//! Come here to change how a request waits for an answer. Which requests share one is decided in
//! `queue`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::protocol::Content;

/// The most requests that may wait for one answer.
const MOST_WAITING: usize = 1024;

/// The result of a command: the server's answer, or the reason that there is none.
pub(super) type Outcome = Result<Content, String>;

enum State {
    Open { joined: usize, wakers: Vec<Waker> },
    Kept(Outcome),
}

/// The connection's side of an answer. A promise that is dropped gives an error to the waiting requests.
pub(super) struct Promise(Arc<Mutex<State>>);

/// A request's side of an answer: a future. It may be dropped at any time; the answer is then discarded.
pub(super) struct Waiting {
    state: Arc<Mutex<State>>,
    /// The position of this request's waker.
    place: Option<usize>,
}

impl Promise {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::Open {
            joined: 0,
            wakers: Vec::new(),
        })))
    }

    /// Adds a waiting request; `None` where [`MOST_WAITING`] wait already.
    pub(super) fn join(&self) -> Option<Waiting> {
        if let State::Open { joined, .. } = &mut *lock(&self.0) {
            if *joined == MOST_WAITING {
                return None;
            }
            *joined += 1;
        }
        Some(Waiting {
            state: Arc::clone(&self.0),
            place: None,
        })
    }

    /// Gives the outcome to all waiting requests. Only the first outcome counts.
    pub(super) fn keep(&self, outcome: Outcome) {
        let mut state = lock(&self.0);
        if let State::Open { wakers, .. } = &mut *state {
            let wakers = std::mem::take(wakers);
            *state = State::Kept(outcome);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.keep(Err("the connection was lost".to_owned()));
    }
}

impl Future for Waiting {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let this = &mut *self;
        match &mut *lock(&this.state) {
            State::Kept(outcome) => Poll::Ready(outcome.clone()),
            State::Open { wakers, .. } => {
                if let Some(waker) = this.place.and_then(|place| wakers.get_mut(place)) {
                    waker.clone_from(context.waker());
                } else {
                    this.place = Some(wakers.len());
                    wakers.push(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
