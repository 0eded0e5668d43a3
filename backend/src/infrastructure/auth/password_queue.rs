//! The queue of requests that wait for a hash of a password: fair between addresses, and bounded.
//!
//! Come here to change which request is next. A hash takes about 20 ms of a core. If requests were served in the order
//! of their arrival, one client with many requests would keep out all others. Nothing is hashed here.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use tokio::sync::oneshot;

use crate::client_address::ClientAddress;
use crate::http::ApiError;

/// The most waiting requests. When one more comes, the last request of the address with the most is refused.
const MAX_WAITING: usize = 256;

const WAITING: &str = "password_queue_waiting";
const HASHING: &str = "password_queue_hashing";
const WAIT: &str = "password_queue_wait_time_seconds";
const REFUSED: &str = "password_queue_refused_total";

/// The queue. The addresses with waiting requests get turns one after the other.
#[derive(Clone, Debug)]
pub(super) struct PasswordQueue {
    state: Arc<Mutex<State>>,
    turns: usize,
    wait: Histogram,
    refused: Counter,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// The waiting requests by address; no list is empty.
    waiting: HashMap<IpAddr, VecDeque<oneshot::Sender<Turn>>>,
    /// The addresses with waiting requests. The first one is next.
    order: VecDeque<IpAddr>,
    count: usize,
}

/// The right to use a core for one password. When it is dropped, the next request gets it.
#[derive(Debug)]
pub(super) struct Turn(Arc<Mutex<State>>);

impl PasswordQueue {
    /// A queue with this number of turns at a time.
    pub(super) fn new(turns: usize) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                free: turns,
                waiting: HashMap::new(),
                order: VecDeque::new(),
                count: 0,
            })),
            turns,
            wait: histogram!(WAIT),
            refused: counter!(REFUSED),
        }
    }

    /// Waits for a turn. The wait ends with the request: see `SERVER_REQUEST_TIMEOUT`.
    ///
    /// # Errors
    /// 503 where too many wait.
    pub(super) async fn turn(&self, address: ClientAddress) -> Result<Turn, ApiError> {
        let began = Instant::now();
        let waiting = {
            let mut state = lock(&self.state);
            if state.free > 0 {
                state.free -= 1;
                self.wait.record(Duration::ZERO);
                return Ok(Turn(Arc::clone(&self.state)));
            }
            state.join(address.network())
        };
        let turn = match waiting {
            // The sender is dropped where the place was given to another address.
            Ok(waiting) => waiting.await.map_err(|_| ApiError::Unavailable),
            Err(error) => Err(error),
        };
        match &turn {
            Ok(_) => self.wait.record(began.elapsed()),
            Err(_) => self.refused.increment(1),
        }
        turn
    }

    /// Describes the metrics of the queue to the recorder of the crate `metrics`.
    pub(super) fn describe_metrics() {
        describe_gauge!(WAITING, "Requests that wait for a password to be hashed");
        describe_gauge!(HASHING, "Passwords that are being hashed");
        describe_histogram!(
            WAIT,
            Unit::Seconds,
            "Time of a wait until a password is hashed"
        );
        describe_counter!(REFUSED, "Requests that were refused since too many waited");
    }

    /// Sets the gauges to the present state.
    pub(super) fn record_gauges(&self) {
        let (waiting, free) = {
            let state = lock(&self.state);
            (state.count, state.free)
        };
        let value = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        gauge!(WAITING).set(value(waiting));
        gauge!(HASHING).set(value(self.turns.saturating_sub(free)));
    }
}

impl State {
    fn join(&mut self, address: IpAddr) -> Result<oneshot::Receiver<Turn>, ApiError> {
        if self.count >= MAX_WAITING {
            self.remove_abandoned();
        }
        if self.count >= MAX_WAITING {
            self.make_room_for(address)?;
        }
        let (sender, receiver) = oneshot::channel();
        let list = self.waiting.entry(address).or_default();
        if list.is_empty() {
            self.order.push_back(address);
        }
        list.push_back(sender);
        self.count += 1;
        Ok(receiver)
    }

    /// Removes the requests whose clients have left.
    fn remove_abandoned(&mut self) {
        self.waiting.retain(|_, list| {
            list.retain(|sender| !sender.is_closed());
            !list.is_empty()
        });
        self.order
            .retain(|address| self.waiting.contains_key(address));
        self.count = self.waiting.values().map(VecDeque::len).sum();
    }

    /// Refuses the last request of the address with the most waiting requests, if that has more than this address would
    /// have.
    fn make_room_for(&mut self, address: IpAddr) -> Result<(), ApiError> {
        let own = self.waiting.get(&address).map_or(0, VecDeque::len);
        let longest = self.waiting.values_mut().max_by_key(|list| list.len());
        match longest {
            Some(list) if list.len() > own + 1 => {
                list.pop_back();
                self.count -= 1;
                Ok(())
            }
            _ => Err(ApiError::Unavailable),
        }
    }

    /// The next request that still waits: one of each address, and then from the beginning.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some(address) = self.order.pop_front() {
            let Some(list) = self.waiting.get_mut(&address) else {
                continue;
            };
            let next = list.pop_front();
            if list.is_empty() {
                self.waiting.remove(&address);
            } else {
                self.order.push_back(address);
            }
            if let Some(sender) = next {
                self.count -= 1;
                if !sender.is_closed() {
                    return Some(sender);
                }
            }
        }
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut state = lock(&self.0);
            let next = state.next();
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        if let Some(sender) = next {
            // A request that ends at this moment passes its turn on; the turn that comes back here is dropped.
            drop(sender.send(Self(Arc::clone(&self.0))));
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use crate::watchdog;
    use actix_web::rt::{spawn, task::yield_now};

    use super::*;

    fn address(last: u8) -> ClientAddress {
        ClientAddress::from(IpAddr::from([192, 0, 2, last]))
    }

    /// Starts `count` requests of an address. Each of them writes the address when its turn comes.
    async fn wait(queue: &PasswordQueue, last: u8, count: usize, served: &Arc<Mutex<Vec<u8>>>) {
        for _ in 0..count {
            let (queue, served) = (queue.clone(), Arc::clone(served));
            spawn(async move {
                if let Ok(_turn) = queue.turn(address(last)).await {
                    served.lock().unwrap().push(last);
                }
            });
        }
        yield_now().await;
    }

    async fn settle() {
        for _ in 0..2000 {
            yield_now().await;
        }
    }

    #[actix_web::test]
    async fn addresses_take_turns_although_one_of_them_sends_many_requests() {
        watchdog::watch();
        let queue = PasswordQueue::new(1);
        let served = Arc::default();
        let first = queue.turn(address(1)).await.unwrap();
        wait(&queue, 1, 400, &served).await;
        for last in 2..=20 {
            wait(&queue, last, 1, &served).await;
        }
        drop(first);
        settle().await;
        let served = served.lock().unwrap();
        let begin: Vec<u8> = (1..=20).collect();
        assert_eq!(served[..20], begin[..]);
        assert_eq!(served.len(), MAX_WAITING, "nobody waits beyond the bound");
    }

    #[actix_web::test]
    async fn a_request_that_leaves_costs_no_other_a_turn_or_a_place() {
        watchdog::watch();
        let queue = PasswordQueue::new(1);
        let served = Arc::default();
        let first = queue.turn(address(1)).await.unwrap();
        for _ in 0..2 * MAX_WAITING {
            let mut left = Box::pin(queue.turn(address(1)));
            assert!(futures_util::poll!(&mut left).is_pending());
        }
        wait(&queue, 1, 3, &served).await;
        drop(first);
        settle().await;
        assert_eq!(served.lock().unwrap().len(), 3);
        let again = queue.turn(address(1)).await;
        assert!(again.is_ok());
    }
}
