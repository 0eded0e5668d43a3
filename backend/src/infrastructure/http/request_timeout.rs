//! `SERVER_REQUEST_TIMEOUT`: no request stays without an answer.
//!
//! The requests of a worker share one clock that ticks four times a second, because a timer for each request would cost
//! every hit.
//!
//! Come here to change what happens to a late handler. The deadlines of the database are in `database`, not here.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, rt};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::error::ApiError;
use super::request_id::RequestId;

/// The clock's precision.
const TICK: Duration = Duration::from_millis(250);

/// The limit of the time that a handler may take. A clone has the same clock.
#[derive(Clone, Debug)]
pub struct RequestTimeout {
    clock: Rc<Clock>,
    ticks: u64,
}

#[derive(Debug, Default)]
struct Clock {
    now: Cell<u64>,
    tick: Notify,
}

impl RequestTimeout {
    /// Starts the clock of a worker. It stops when the last clone is dropped.
    ///
    /// # Panics
    /// Outside of an actix runtime.
    #[must_use]
    pub fn start(limit: Duration) -> Self {
        let clock = Rc::new(Clock::default());
        let ticking = Rc::downgrade(&clock);
        rt::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let Some(clock) = ticking.upgrade() else {
                    return;
                };
                clock.now.set(clock.now.get() + 1);
                clock.tick.notify_waiters();
            }
        });
        // One tick has begun already. A second one lets a deadline inside the handler end first.
        let ticks = limit.as_millis().div_ceil(TICK.as_millis()) + 2;
        Self {
            clock,
            ticks: u64::try_from(ticks).unwrap_or(u64::MAX),
        }
    }

    /// Runs a handler. The answer for a late handler is 503. A late read is stopped; a late write continues to its end
    /// (C20). A write is one of `writes` from its first step on.
    pub(super) async fn limit<B: 'static>(
        &self,
        writes: &TaskTracker,
        request_id: &RequestId,
        request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<B>, Error> {
        let is_write = !request.method().is_safe();
        let write = is_write.then(|| writes.token());
        let mut answer = next.call(request);
        tokio::select! {
            biased;
            outcome = &mut answer => outcome,
            () = self.passes() => {
                tracing::warn!(%request_id, "a request was not answered within SERVER_REQUEST_TIMEOUT");
                if is_write {
                    rt::spawn(async move {
                        let _ended = answer.await;
                        drop(write);
                    });
                }
                Err(ApiError::Unavailable.into())
            }
        }
    }

    async fn passes(&self) {
        let end = self.clock.now.get().saturating_add(self.ticks);
        while self.clock.now.get() < end {
            self.clock.tick.notified().await;
        }
    }
}
