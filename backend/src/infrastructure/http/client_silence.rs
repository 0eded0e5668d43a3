//! The end of a connection whose client keeps the service waiting: it sends no request, or takes nothing of an answer.
//!
//! The HTTP library closes a connection between two requests by a timer, which it makes anew for each request, and stops it at the
//! first byte of the next head. A client that never ends that head would keep its connection for ever, and so would one that takes no
//! more of its answer. Here each connection has one timer, which looks from time to time whether anything has happened.
//!
//! Come here to change when a connection is closed. The time for the first head is in `server::serve`, and that for a body is a
//! deadline of its request.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

/// The looks of a timer in the time that a client has.
const LOOKS: u32 = 4;

/// The polls in a row for which a client may take nothing. The HTTP library polls a connection in a loop, without a pause, while the client
/// sends further requests and takes no answers. This is about a second of that.
const MAX_POLLS_IN_VAIN: u32 = 1_000_000;

/// What a connection and its requests tell each other. A clone is of the same connection.
#[derive(Clone, Debug, Default)]
pub struct Activity(Rc<State>);

#[derive(Debug, Default)]
struct State {
    /// The requests that have begun and whose answers are not complete.
    under_way: Cell<u32>,
    /// Whether anything has happened since the last look.
    is_active: Cell<bool>,
}

/// A request of a connection, from its begin to the end of its answer.
#[derive(Debug)]
pub(super) struct UnderWay(Activity);

impl Activity {
    /// Begins a request.
    pub(super) fn begin(&self) -> UnderWay {
        self.0.under_way.set(self.0.under_way.get() + 1);
        UnderWay(self.clone())
    }

    fn note(&self) {
        self.0.is_active.set(true);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let state = &self.0.0;
        state.under_way.set(state.under_way.get() - 1);
        self.0.note();
    }
}

/// The wait for a client.
#[derive(Debug)]
pub(super) struct Silence {
    activity: Activity,
    timer: Pin<Box<Sleep>>,
    /// The time between two looks.
    pause: Duration,
    /// The looks in a row that found nothing.
    in_vain: u32,
    /// The task that the timer wakes. It stays the same for the life of a connection.
    woken: Option<Waker>,
    takes_nothing: bool,
    /// The polls since the client has taken something.
    polls_in_vain: u32,
}

impl Silence {
    /// A client has `limit` for each of its steps, and up to a quarter more.
    pub(super) fn new(limit: Duration) -> Self {
        let pause = limit / LOOKS;
        let activity = Activity::default();
        activity.note();
        Self {
            activity,
            timer: Box::pin(sleep(pause)),
            pause,
            in_vain: 0,
            woken: None,
            takes_nothing: false,
            polls_in_vain: 0,
        }
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Notes that the client has taken a part of an answer.
    pub(super) fn has_taken(&mut self) {
        self.takes_nothing = false;
        self.polls_in_vain = 0;
        self.activity.note();
    }

    /// Whether a client that sends nothing has had its time for the next request.
    pub(super) fn is_too_long(&mut self, context: &mut Context<'_>) -> bool {
        self.look(context);
        self.activity.0.under_way.get() == 0 && self.is_over()
    }

    /// Whether a client that takes nothing has had its time for that.
    pub(super) fn is_too_long_for_an_answer(&mut self, context: &mut Context<'_>) -> bool {
        if !self.takes_nothing {
            // Its time begins.
            self.has_taken();
            self.takes_nothing = true;
        }
        self.polls_in_vain += 1;
        self.look(context);
        self.is_over() || self.polls_in_vain > MAX_POLLS_IN_VAIN
    }

    fn is_over(&self) -> bool {
        self.in_vain >= LOOKS && !self.activity.0.is_active.get()
    }

    /// Looks at the activity if it is time to.
    fn look(&mut self, context: &mut Context<'_>) {
        let waker = context.waker();
        let is_known = self
            .woken
            .as_ref()
            .is_some_and(|known| known.will_wake(waker));
        if is_known && !self.timer.is_elapsed() {
            return;
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let is_active = self.activity.0.is_active.take();
            self.in_vain = if is_active {
                0
            } else {
                self.in_vain.saturating_add(1)
            };
            self.timer.as_mut().reset(Instant::now() + self.pause);
        }
        if !is_known {
            self.woken = Some(waker.clone());
        }
    }
}

pin_project! {
    /// The body of an answer. Its request ends with it.
    #[derive(Debug)]
    pub struct AnswerBody<B> {
        #[pin]
        body: B,
        _under_way: Option<UnderWay>,
    }
}

impl<B> AnswerBody<B> {
    pub(super) fn new(body: B, under_way: Option<UnderWay>) -> Self {
        Self {
            body,
            _under_way: under_way,
        }
    }
}

impl<B: MessageBody> MessageBody for AnswerBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_next(context)
    }
}
