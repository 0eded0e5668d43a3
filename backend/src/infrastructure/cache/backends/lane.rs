//! One lane: a connection, its state, and its renewal.
//!
//! Come here to change when a connection is replaced. A lane has a connection, or is being renewed, or its last renewal
//! has just failed. The choice of a lane is in `lanes`. No command is sent here.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::contract::BackendError;

/// The pause after a failed renewal of a lane.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);
/// The time after which a second connection is tried beside the one that is being made. After an interruption, TCP repeats
/// the lost packets of the first attempt late, while the packets of a new attempt arrive at once.
const SECOND_CONNECTION_AFTER: Duration = Duration::from_millis(250);

/// Makes connections to one server.
pub(super) trait Connector: Send + Sync + 'static {
    /// A handle on a connection. Clones share the connection.
    type Connection: Clone + Send + Sync + 'static;

    /// Makes a connection, within the connect timeout.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, String>> + Send;

    /// Whether more commands may be sent on it.
    fn is_usable(_: &Self::Connection) -> bool {
        true
    }

    /// Ends the sending of commands. Commands that were sent are still answered if possible.
    fn retire(_: Self::Connection) {}
}

/// One lane.
pub(super) struct Lane<C: Connector> {
    state: Mutex<State<C>>,
    /// Notified after each attempt to renew the lane.
    pub(super) renewed: Notify,
}

struct State<C: Connector> {
    connection: Option<Made<C::Connection>>,
    /// The number of the connection. A late error of an old connection does not close the new one.
    serial: u64,
    /// The beginning of the newest attempt to connect, if one is under way.
    renewing: Option<Instant>,
    failure: Option<(Instant, String)>,
}

struct Made<T> {
    connection: T,
    at: Instant,
}

/// The state of a lane for a command that needs a connection.
pub(super) enum Open<T> {
    Connection(Numbered<T>),
    /// The caller must renew the lane now, with this moment as the beginning.
    Renew(Instant),
    /// A renewal is under way.
    Renewing,
}

/// A connection with its number.
pub(super) struct Numbered<T> {
    pub(super) connection: T,
    pub(super) serial: u64,
}

impl<C: Connector> Lane<C> {
    /// The connection, if there is a usable one.
    pub(super) fn connection(&self) -> Option<Numbered<C::Connection>> {
        self.state().usable()
    }

    /// The connection, or the way to get one.
    ///
    /// # Errors
    /// The last attempt to connect failed a moment ago.
    pub(super) fn open(&self) -> Result<Open<C::Connection>, BackendError> {
        let mut state = self.state();
        if let Some(numbered) = state.usable() {
            return Ok(Open::Connection(numbered));
        }
        if state
            .renewing
            .is_some_and(|began| began.elapsed() <= SECOND_CONNECTION_AFTER)
        {
            return Ok(Open::Renewing);
        }
        if let Some((at, error)) = &state.failure
            && at.elapsed() < PAUSE_AFTER_FAILURE
        {
            return Err(BackendError::Unavailable(error.clone()));
        }
        let began = Instant::now();
        state.renewing = Some(began);
        Ok(Open::Renew(began))
    }

    /// Takes the result of an attempt to connect. `began` identifies the attempt.
    pub(super) fn renew(&self, began: Instant, connected: Result<C::Connection, String>) {
        {
            let mut state = self.state();
            let is_newest = state.renewing == Some(began);
            if is_newest {
                state.renewing = None;
            }
            match connected {
                // Another attempt was faster.
                Ok(connection) if state.connection.is_some() => C::retire(connection),
                // Another attempt is under way.
                Err(_) if !is_newest => return,
                Ok(connection) => {
                    state.serial += 1;
                    state.failure = None;
                    let at = Instant::now();
                    state.connection = Some(Made { connection, at });
                }
                Err(error) => state.failure = Some((Instant::now(), error)),
            }
        }
        self.renewed.notify_waiters();
    }

    /// Closes the connection. Commands that were sent are still answered if possible.
    pub(super) fn end(&self) {
        self.state().end();
    }

    /// Closes the connection with this number, unless it has been replaced.
    pub(super) fn end_number(&self, serial: u64) {
        let mut state = self.state();
        if state.serial == serial {
            state.end();
        }
    }

    /// Closes the connection if it was made at a moment for which this is true.
    pub(super) fn end_made(&self, at: impl Fn(Instant) -> bool) {
        let mut state = self.state();
        if state.connection.as_ref().is_some_and(|made| at(made.at)) {
            state.end();
        }
    }

    /// Whether the connection with this number is open and has not been replaced.
    pub(super) fn has(&self, serial: u64) -> bool {
        let state = self.state();
        state.serial == serial && state.connection.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Connector> Default for Lane<C> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                connection: None,
                serial: 0,
                renewing: None,
                failure: None,
            }),
            renewed: Notify::new(),
        }
    }
}

impl<C: Connector> State<C> {
    fn usable(&mut self) -> Option<Numbered<C::Connection>> {
        let made = self.connection.as_ref()?;
        if C::is_usable(&made.connection) {
            return Some(Numbered {
                connection: made.connection.clone(),
                serial: self.serial,
            });
        }
        self.end();
        None
    }

    fn end(&mut self) {
        if let Some(made) = self.connection.take() {
            C::retire(made.connection);
        }
    }
}
