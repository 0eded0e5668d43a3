//! Commands that may be sent twice, and connections that stay silent (C57).
//!
//! Come here to send a command that is safe to repeat. A command that is not safe to repeat, such as a compare-and-set, is
//! sent with [`Lanes::watched`] alone.
//!
//! A firewall can drop a connection without notice. The system closes such a connection after 10 s on Linux (`USER_TIMEOUT`
//! in `lanes`) and elsewhere when TCP gives up repeating its packets, which may take 15 minutes. Until then every command
//! on the connection stays without an answer. Three rules limit the delay to one deadline:
//!
//! - A command that may be repeated and has no answer after half of its deadline is sent again, on a new connection ([`Lanes::ask`]).
//! - A connection is closed if a command on it is silent until the limit of its caller, or if the repetition of a command is answered
//!   first ([`Lanes::watched`]).
//! - Every probe of the breaker asks on all open connections. This also keeps them from being idle.

use std::future::Future;
use std::pin::pin;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::contract::BackendError;
use super::lanes::{Connector, Lanes, Place, Placed};

impl<C: Connector> Lanes<C> {
    /// Sends a question on the connection of this thread and, without an answer after half of the
    /// deadline, on a new connection too. The first answer counts; a connection without an answer is
    /// closed.
    ///
    /// # Errors
    /// - An error of the first attempt before half of the deadline. It is not repeated: the connection was closed, and the
    ///   breaker must count that.
    /// - After that, if both attempts fail: the error of the one that ended last.
    /// - No answer within the deadline.
    pub(super) async fn ask<T, F>(
        &self,
        deadline: Duration,
        question: impl Fn(Placed<C::Connection>) -> F,
    ) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        // An answer within the first half costs this one timer. A timer costs more than the rest of this function.
        let mut half_passed = pin!(sleep(deadline / 2));
        let used = OnceLock::new();
        let first = async {
            let placed = self.of_thread().await?;
            let _ = used.set(placed.place);
            question(placed).await
        };
        let mut first = pin!(first);
        tokio::select! {
            biased;
            answer = &mut first => return answer,
            () = &mut half_passed => {}
        }
        let half = half_passed.deadline();
        let second = async {
            let first_began = (half - deadline / 2).into_std();
            question(self.for_second_attempt(first_began).await?).await
        };
        // Boxed, because it is rare, and each batch of look-ups moves the whole future.
        let either = Box::pin(async {
            let mut second = pin!(second);
            let (answer, is_second) = tokio::select! {
                answer = &mut first => (answer, false),
                answer = &mut second => (answer, true),
            };
            match (answer, is_second) {
                (Err(_), false) => (second.await, true),
                (Err(_), true) => (first.await, false),
                decided => decided,
            }
        });
        let decided = timeout_at(half + deadline / 2, either).await;
        if !matches!(decided, Ok((_, false)))
            && let Some(place) = used.get()
        {
            self.end(*place);
        }
        match decided {
            Ok((answer, _)) => answer,
            Err(_) => Err(BackendError::no_answer_within(deadline)),
        }
    }

    /// Waits for an answer on a connection. If the wait is dropped after `silence_limit` or later, and there was no answer,
    /// the connection is closed.
    pub(super) async fn watched<T>(
        &self,
        place: Place,
        silence_limit: Duration,
        answer: impl Future<Output = T>,
    ) -> T {
        let mut silence = Silence {
            lanes: Some(self),
            place,
            since: Instant::now(),
            limit: silence_limit,
        };
        let answer = answer.await;
        silence.lanes = None;
        answer
    }
}

/// A command without an answer so far.
struct Silence<'a, C: Connector> {
    /// `None` after the answer.
    lanes: Option<&'a Lanes<C>>,
    place: Place,
    since: Instant,
    limit: Duration,
}

impl<C: Connector> Drop for Silence<'_, C> {
    fn drop(&mut self) {
        if let Some(lanes) = self.lanes
            && self.since.elapsed() >= self.limit
        {
            lanes.end(self.place);
        }
    }
}
