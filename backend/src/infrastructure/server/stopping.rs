//! The stop of the server, as the connections of one worker learn of it.
//!
//! The server's own signal is one for all workers. Each look at it takes a lock that they share, and a connection looks at it
//! each time that it is woken. So one task of each worker waits for the signal, and its connections look at a flag.
//!
//! Come here to change how connections learn of the stop. Their end is decided in actix-http.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use actix_web::rt;
use tokio::sync::Notify;

/// The stop of the server in one worker. A clone is of the same worker.
#[derive(Clone, Debug)]
pub(super) struct Stopping(Rc<Stop>);

#[derive(Debug, Default)]
struct Stop {
    has_begun: Cell<bool>,
    begins: Notify,
}

impl Stopping {
    /// The stop that begins with the signal.
    ///
    /// # Panics
    /// Outside of an actix runtime.
    pub(super) fn when(signal: impl Future<Output = ()> + 'static) -> Self {
        let stop = Rc::new(Stop::default());
        let begun = Rc::clone(&stop);
        rt::spawn(async move {
            signal.await;
            begun.has_begun.set(true);
            begun.begins.notify_waiters();
        });
        Self(stop)
    }

    /// Waits until the stop has begun.
    pub(super) async fn begun(self) {
        let stop = self.0;
        let mut begins = pin!(stop.begins.notified());
        // The task that is woken. It stays the same for the life of a connection.
        let mut woken: Option<Waker> = None;
        poll_fn(|context| {
            if stop.has_begun.get() {
                return Poll::Ready(());
            }
            let is_known = |known: &Waker| known.will_wake(context.waker());
            if !woken.as_ref().is_some_and(is_known) {
                if begins.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                woken = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;
    use crate::watchdog;

    fn stopping() -> (oneshot::Sender<()>, Stopping) {
        let (stop, stopped) = oneshot::channel();
        let stopping = Stopping::when(async move {
            let _ = stopped.await;
        });
        (stop, stopping)
    }

    #[actix_web::test]
    async fn a_waiting_connection_is_woken_by_the_stop() {
        watchdog::watch();
        let (stop, stopping) = stopping();
        let waiting = [stopping.clone(), stopping].map(|stopping| rt::spawn(stopping.begun()));
        rt::task::yield_now().await;
        assert!(waiting.iter().all(|connection| !connection.is_finished()));
        stop.send(()).unwrap();
        for connection in waiting {
            connection.await.unwrap();
        }
    }

    #[actix_web::test]
    async fn a_connection_that_comes_after_the_stop_ends_at_once() {
        watchdog::watch();
        let (stop, stopping) = stopping();
        stop.send(()).unwrap();
        stopping.clone().begun().await;
        assert_eq!(stopping.begun().now_or_never(), Some(()));
    }

    #[actix_web::test]
    async fn the_task_that_looked_last_is_woken() {
        watchdog::watch();
        let (stop, stopping) = stopping();
        let mut begun = Box::pin(stopping.begun());
        // Looked at by a task that nobody wakes, and then, repeatedly, by another one.
        assert_eq!(begun.as_mut().now_or_never(), None);
        let connection = rt::spawn(async move {
            for _ in 0..3 {
                assert!(matches!(futures_util::poll!(&mut begun), Poll::Pending));
            }
            begun.await;
        });
        rt::task::yield_now().await;
        stop.send(()).unwrap();
        connection.await.unwrap();
    }
}
