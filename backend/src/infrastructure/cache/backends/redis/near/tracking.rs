//! The connection on which the server reports changes: `CLIENT TRACKING` in broadcasting mode over
//! RESP3, for the near cache.
//!
//! The server is asked for a sign of life every [`HEARTBEAT`]. Without an answer the near cache is emptied, and stays
//! empty until a new connection works.
//!
//! Come here to change how changes are received. Kept values are in `values`, not here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection, SendError};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisError,
    Value,
};
use tokio::time::{sleep, timeout};

use super::values::Near;
use crate::backends::redis::identity::Identity;
use crate::backends::redis::location::Location;
use crate::options::CacheOptions;

/// The interval between questions for a sign of life, and the longest time for an answer.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// The pause between attempts to connect. It doubles with each refusal of the server.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The inputs of the tracking task.
pub(super) struct Tracked {
    location: Arc<Location>,
    connect_timeout: Duration,
    prefix: String,
    identity: Arc<Identity>,
}

impl Tracked {
    pub(super) fn new(
        options: &CacheOptions,
        location: Arc<Location>,
        identity: Arc<Identity>,
    ) -> Self {
        let prefix = if options.namespace.is_empty() {
            String::new()
        } else {
            format!("{}:", options.namespace)
        };
        Self {
            location,
            connect_timeout: options.redis.connect_timeout,
            prefix,
            identity,
        }
    }

    /// Connects. From now on the server reports changes.
    async fn connect(
        &self,
        server: ConnectionInfo,
        changes: Changes,
    ) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(HEARTBEAT))
            .set_push_sender(changes);
        let client = Client::open(server)?;
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut tracking = redis::cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST");
        if !self.prefix.is_empty() {
            tracking.arg("PREFIX").arg(&self.prefix);
        }
        tracking.query_async::<()>(&mut connection).await?;
        Ok(connection)
    }

    /// Returns when the connection gives no sign of life, or leads to another server than the commands. The changes of
    /// that other server would not be reported here.
    async fn watch(
        &self,
        mut connection: MultiplexedConnection,
        term: u64,
        near: &Near,
        lost: &AtomicBool,
    ) -> String {
        loop {
            let sign_of_life = self.identity.is_known(&mut connection);
            match timeout(HEARTBEAT, sign_of_life).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return "the server is another process than before".to_owned(),
                Ok(Err(error)) => return error,
                Err(_) => return "no sign of life".to_owned(),
            }
            if self.location.term() != Some(term) {
                return "another server is used now".to_owned();
            }
            near.begin_session();
            // A connection that was lost before the session began could not end the session.
            if !lost.load(Ordering::SeqCst) {
                sleep(HEARTBEAT).await;
            }
            if lost.load(Ordering::SeqCst) {
                return "the connection was lost".to_owned();
            }
        }
    }
}

/// The connection whose messages a write can wait for; none while there is no session, in which nothing is kept.
#[derive(Default)]
pub(super) struct Messages {
    connection: Mutex<Option<MultiplexedConnection>>,
    /// The term of the server at the other end.
    term: AtomicU64,
}

impl Messages {
    /// Whether all messages that the server has sent so far have arrived: it sends them before the answer to a later command,
    /// and they are carried out in order. `false` where it does not answer within a heartbeat.
    pub(super) async fn have_arrived(&self) -> bool {
        let connection = self.connection().clone();
        let Some(mut connection) = connection else {
            return true;
        };
        let ping = redis::cmd("PING");
        let answer = ping.query_async::<Value>(&mut connection);
        matches!(timeout(HEARTBEAT, answer).await, Ok(Ok(_)))
    }

    /// Whether the messages are those of the server of this term.
    pub(super) fn are_of(&self, term: Option<u64>) -> bool {
        Some(self.term.load(Ordering::Acquire)) == term
    }

    fn connection(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tracks until the task ends.
pub(super) async fn track(tracked: Tracked, near: Arc<Near>, messages: Arc<Messages>) {
    let mut pause = PAUSE;
    loop {
        let changes = Changes {
            near: Arc::clone(&near),
            lost: Arc::default(),
        };
        let lost = Arc::clone(&changes.lost);
        let (server, term) = match tracked.location.now(ProtocolVersion::RESP3) {
            Ok(place) => {
                let term = place.term.map_or(0, |term| term.number);
                (place.address, term)
            }
            Err(reason) => {
                tracing::debug!("the near cache is off: {reason}");
                sleep(PAUSE).await;
                continue;
            }
        };
        match tracked.connect(server, changes).await {
            Ok(connection) => {
                pause = PAUSE;
                messages.term.store(term, Ordering::Release);
                near.refused(None);
                *messages.connection() = Some(connection.clone());
                let error = tracked.watch(connection, term, &near, &lost).await;
                near.end_session();
                *messages.connection() = None;
                tracing::debug!("the near cache is emptied: {error}");
            }
            Err(error) => {
                // A refusal is probably permanent. A server that cannot be reached may be back at any
                // time.
                pause = if refuses(&error) {
                    near.refused(Some(error.to_string()));
                    (pause * 2).min(LONGEST_PAUSE)
                } else {
                    PAUSE
                };
                tracing::debug!("the near cache is off: {error}");
            }
        }
        sleep(pause).await;
    }
}

/// Whether the server is available and refuses to report changes.
fn refuses(error: &RedisError) -> bool {
    let passing = ["LOADING", "MASTERDOWN", "CLUSTERDOWN"];
    error.code().is_some_and(|code| !passing.contains(&code))
}

/// Gives the server's messages to the near cache, at once and in order, without a queue.
struct Changes {
    near: Arc<Near>,
    lost: Arc<AtomicBool>,
}

impl AsyncPushSender for Changes {
    fn send(&self, message: PushInfo) -> Result<(), SendError> {
        match message.kind {
            PushKind::Invalidate => match message.data.first() {
                Some(Value::Array(keys)) => {
                    for key in keys {
                        // Keys of this cache are text.
                        if let Value::BulkString(key) = key
                            && let Ok(key) = std::str::from_utf8(key)
                        {
                            self.near.changed(key);
                        }
                    }
                }
                // The server was flushed.
                _ => self.near.changed_all(),
            },
            PushKind::Disconnection => {
                self.lost.store(true, Ordering::SeqCst);
                self.near.end_session();
            }
            _ => {}
        }
        Ok(())
    }
}
