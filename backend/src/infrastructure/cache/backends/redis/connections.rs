//! Lanes: a few Redis connections that every request shares.
//!
//! A pooled connection for every operation would cost a round trip more (the pool pings what it
//! recycles), so the connections are taken from the pool once and clones of them are handed out: what
//! is sent at the same time shares a packet. A worker thread keeps to its lane for reading; deletions
//! take the lanes in turn, so that a retry does not meet the fault of the first attempt.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool_redis::{Connection, Pool};
use redis::aio::MultiplexedConnection;
use tokio::sync::Notify;

use crate::infrastructure::cache::backends::lanes::thread_number;

/// How long a lane that could not be renewed is left alone.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);
/// How long a connection may take to be made before another is tried beside it: a network that was
/// away loses the first packets and repeats them late, while new ones arrive at once.
const PATIENCE: Duration = Duration::from_millis(250);

/// The shared connections of a process.
#[derive(Clone)]
pub(super) struct Lanes {
    pool: Pool,
    lanes: Arc<[Lane]>,
    turn: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Lane {
    state: Mutex<LaneState>,
    renewed: Notify,
}

#[derive(Default)]
struct LaneState {
    connection: Option<Connection>,
    /// Counts connections, so that a late error of an old one does not end the new one.
    serial: u64,
    /// When the newest attempt to connect began, if one is under way.
    renewing: Option<Instant>,
    failure: Option<(Instant, String)>,
}

/// A clone of a lane's connection.
pub(super) struct Ticket {
    pub(in crate::infrastructure::cache::backends::redis) connection: MultiplexedConnection,
    lane: usize,
    serial: u64,
}

impl Lanes {
    pub(super) fn new(pool: Pool, lanes: usize) -> Self {
        Self {
            pool,
            lanes: (0..lanes.max(1)).map(|_| Lane::default()).collect(),
            turn: Arc::default(),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lanes.len()
    }

    /// Which one is that of this thread.
    pub(super) fn number_of_thread(&self) -> usize {
        thread_number() % self.lanes.len()
    }

    /// The lane of this thread.
    pub(super) async fn of_thread(&self) -> Result<Ticket, String> {
        self.ticket(self.number_of_thread()).await
    }

    /// Another lane at every call.
    pub(super) async fn in_turn(&self) -> Result<Ticket, String> {
        self.ticket(self.turn.fetch_add(1, Ordering::Relaxed) % self.lanes.len())
            .await
    }

    /// A connection is broken: ends its lane and all others, which are most likely broken too, so that
    /// neither a second attempt nor the first one after an outage meets a dead connection. Those who
    /// need a lane have it renewed.
    pub(super) fn broken(&self, ticket: &Ticket) {
        let is_current = {
            let state = self.lanes[ticket.lane].state();
            state.serial == ticket.serial && state.connection.is_some()
        };
        if is_current {
            self.end_all();
        }
    }

    /// Ends every lane. What was sent on one is still answered if it can be.
    pub(super) fn end_all(&self) {
        for lane in self.lanes.iter() {
            let connection = lane.state().connection.take();
            if let Some(connection) = connection {
                // Taken out of the pool, which would otherwise hand it out again.
                let _ = Connection::take(connection);
            }
        }
    }

    /// The lane of that number.
    pub(super) async fn ticket(&self, number: usize) -> Result<Ticket, String> {
        let lane = &self.lanes[number];
        let renewed = lane.renewed.notified();
        tokio::pin!(renewed);
        // Registered before the state is looked at, so that no renewal is missed.
        renewed.as_mut().enable();
        if let Some(ticket) = self.take(number)? {
            return Ok(ticket);
        }
        renewed.await;
        match self.take(number)? {
            Some(ticket) => Ok(ticket),
            None => Err("the connection was lost as soon as it was made".to_owned()),
        }
    }

    /// A ticket, or nothing while the lane is being renewed.
    fn take(&self, number: usize) -> Result<Option<Ticket>, String> {
        let mut state = self.lanes[number].state();
        if let Some(connection) = &state.connection {
            let connection = MultiplexedConnection::clone(connection);
            return Ok(Some(Ticket {
                connection,
                lane: number,
                serial: state.serial,
            }));
        }
        if state
            .renewing
            .is_none_or(|began| began.elapsed() > PATIENCE)
        {
            if let Some((at, error)) = &state.failure
                && at.elapsed() < PAUSE_AFTER_FAILURE
            {
                return Err(error.clone());
            }
            let began = Instant::now();
            state.renewing = Some(began);
            // A task of its own: whoever waits may give up at its deadline, the renewal goes on.
            tokio::spawn(self.clone().renew(number, began));
        }
        Ok(None)
    }

    async fn renew(self, number: usize, began: Instant) {
        let connected = self.pool.get().await;
        let lane = &self.lanes[number];
        {
            let mut state = lane.state();
            let is_newest = state.renewing == Some(began);
            if is_newest {
                state.renewing = None;
            }
            match connected {
                // Another attempt was faster: back into the pool.
                Ok(_) if state.connection.is_some() => return,
                // Another attempt is under way.
                Err(_) if !is_newest => return,
                Ok(connection) => {
                    state.connection = Some(connection);
                    state.serial += 1;
                    state.failure = None;
                }
                Err(error) => state.failure = Some((Instant::now(), error.to_string())),
            }
        }
        lane.renewed.notify_waiters();
    }
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
