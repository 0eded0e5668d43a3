//! Lanes: a few Memcached connections that every request shares.
//!
//! A worker thread keeps to its lane. The thread that finds its lane without a connection has it made
//! by a task on its own runtime, which then reads and writes there: in actix a look-up wakes no other
//! thread. Where that runtime ends the next user makes a new connection on its own.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::connection::{Connection, drive};
use crate::infrastructure::cache::backends::lanes::thread_number;

/// How long a lane that could not be renewed is left alone.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);
/// How long a connection may take to be made before another is tried beside it: a network that was
/// away loses the first packets and repeats them late, while new ones arrive at once.
const PATIENCE: Duration = Duration::from_millis(250);

/// Where the server is, and how long it may take.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) connect_timeout: Duration,
    /// For one answer.
    pub(super) operation_timeout: Duration,
}

/// The shared connections of a process.
#[derive(Clone)]
pub(super) struct Lanes {
    server: Arc<Server>,
    lanes: Arc<[Lane]>,
}

#[derive(Default)]
struct Lane {
    state: Mutex<LaneState>,
    renewed: Notify,
}

#[derive(Default)]
struct LaneState {
    connection: Option<Arc<Connection>>,
    /// When the newest attempt to connect began, if one is under way.
    renewing: Option<Instant>,
    failure: Option<(Instant, String)>,
}

impl Lanes {
    pub(super) fn new(server: Server, lanes: usize) -> Self {
        Self {
            server: Arc::new(server),
            lanes: (0..lanes.max(1)).map(|_| Lane::default()).collect(),
        }
    }

    /// The connection of this thread.
    pub(super) async fn of_thread(&self) -> Result<Arc<Connection>, String> {
        let number = thread_number() % self.lanes.len();
        if let Some(connection) = self.take(number)? {
            return Ok(connection);
        }
        let renewed = self.lanes[number].renewed.notified();
        tokio::pin!(renewed);
        // Registered before the lane is looked at, so that no renewal is missed.
        renewed.as_mut().enable();
        if let Some(connection) = self.take(number)? {
            return Ok(connection);
        }
        renewed.await;
        self.take(number)?
            .ok_or_else(|| "the connection was lost as soon as it was made".to_owned())
    }

    /// Retires every connection: what was asked on one is still answered if it can be.
    pub(super) fn end_all(&self) {
        for lane in self.lanes.iter() {
            if let Some(connection) = lane.state().connection.take() {
                connection.retire();
            }
        }
    }

    /// A connection, or nothing while the lane is being renewed.
    fn take(&self, number: usize) -> Result<Option<Arc<Connection>>, String> {
        let mut state = self.lanes[number].state();
        if let Some(connection) = &state.connection {
            if connection.is_usable() {
                return Ok(Some(Arc::clone(connection)));
            }
            connection.retire();
            state.connection = None;
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

    /// Makes a connection and serves it to its end.
    async fn renew(self, number: usize, began: Instant) {
        let connected = self.server.connect().await;
        let lane = &self.lanes[number];
        let made = {
            let mut state = lane.state();
            let is_newest = state.renewing == Some(began);
            if is_newest {
                state.renewing = None;
            }
            match connected {
                // Another attempt was faster.
                Ok(_) if state.connection.is_some() => return,
                // Another attempt is under way.
                Err(_) if !is_newest => return,
                Ok(stream) => {
                    // Whoever comes right after the first one gave up finds a silent connection
                    // replaced: a little less than anybody waits.
                    let connection = Connection::new(self.server.operation_timeout / 10 * 9);
                    state.connection = Some(Arc::clone(&connection));
                    state.failure = None;
                    Some((connection, stream))
                }
                Err(error) => {
                    state.failure = Some((Instant::now(), error.to_string()));
                    None
                }
            }
        };
        lane.renewed.notify_waiters();
        // The connection does not keep the lanes: they may end before it.
        drop(self);
        if let Some((connection, stream)) = made {
            drive(connection, stream).await;
        }
    }
}

impl Server {
    /// Looks the address up each time: the server may have moved.
    async fn connect(&self) -> io::Result<TcpStream> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = timeout(self.connect_timeout, connecting)
            .await
            .map_err(|_| {
                io::Error::new(io::ErrorKind::TimedOut, "the connection takes too long")
            })??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
