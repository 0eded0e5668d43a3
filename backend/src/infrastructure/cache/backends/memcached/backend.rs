//! The Memcached backend.
//!
//! Commands go over shared connections with many of them in flight, see `connection`. The second attempt of a deletion
//! uses the crate `memcache`, with its own client and connection, so that it shares no fault with the first.
//!
//! Come here to add an operation. The bytes that are sent and received are in `protocol`, not here.
//!
//! Versions are the server's CAS numbers. They start again when the server restarts. A restarted server
//! is empty and has lost the namespace's generation too, so a value that is stored with a number from
//! before the restart has a generation that is not trusted any more.

use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use memcache::exp::{Delete, MetaClientBuilder};

use super::connection::Connection;
use super::connections::{Lanes, MemcachedConnector, Placed};
use super::promise::Waiting;
use super::protocol::{self, Condition, Content, Key, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::backends::contract::{
    BackendError, CacheBackend, Count, Found, GetOrCreateResult, Version,
};
use crate::options::{MemcachedOptions, ServerAddress};

/// The number of every value on a server without CAS numbers.
const NO_NUMBER: u64 = 0;
/// The beginning of the server's refusal of every value, whatever its size.
const OUT_OF_MEMORY: &str = "out of memory";

/// Entries on a Memcached server, version 1.6 or later.
pub struct MemcachedBackend {
    lanes: Lanes,
    address: String,
    deadline: Duration,
    connect_timeout: Duration,
}

impl MemcachedBackend {
    /// A backend that connects at its first use.
    #[must_use]
    pub fn new(server: &ServerAddress, options: &MemcachedOptions, deadline: Duration) -> Self {
        let connect_timeout = options.connect_timeout;
        let connector = MemcachedConnector {
            host: server.host.clone(),
            port: server.port,
            connect_timeout,
            operation_timeout: deadline,
        };
        Self {
            address: server.to_string(),
            lanes: Lanes::new(connector, options.pool_size),
            deadline,
            connect_timeout,
        }
    }

    async fn look_up(
        &self,
        key: &str,
        sent_key: &Key<'_>,
        connection: &Connection,
    ) -> Result<Option<Found>, BackendError> {
        let waiting = connection.look_up(key, sent_key);
        match answer(waiting).await? {
            Content::Value(_, Some(NO_NUMBER)) => Err(without_numbers()),
            Content::Value(value, number) => Ok(Some(Found {
                value,
                version: number.map_or(Version::Anything, Version::Number),
            })),
            Content::Absent => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    async fn store(
        &self,
        (key, value): (&str, &Bytes),
        condition: Condition,
        expiration: Duration,
        connection: &Connection,
    ) -> Result<Option<Version>, BackendError> {
        let sent_key = storable(key, value)?;
        let lifetime = protocol::lifetime_on_the_wire(expiration, SystemTime::now());
        let waiting = connection.store(&sent_key, value, condition, lifetime);
        match answer(waiting).await? {
            Content::Done(Some(NO_NUMBER)) => Err(without_numbers()),
            Content::Done(Some(number)) => Ok(Some(Version::Number(number))),
            Content::Done(None) => self.number_of(key, value).await,
            Content::ConditionFailed => Ok(None),
            // The server is available but does not accept this value, or any value.
            Content::Refused(reason) if reason.starts_with(OUT_OF_MEMORY) => {
                Err(BackendError::CannotStore(reason))
            }
            Content::Refused(reason) => Err(BackendError::NotStored(reason)),
            other => Err(unexpected(other)),
        }
    }

    /// The number of a stored value, if it is still there, on a server that does not answer with the
    /// number.
    async fn number_of(&self, key: &str, value: &Bytes) -> Result<Option<Version>, BackendError> {
        let stored = self.get(key).await?;
        Ok(stored
            .filter(|stored| stored.value == value)
            .map(|stored| stored.version))
    }

    /// Sends a command that changes a counter. Without an answer it is unknown whether the counter was changed, so the
    /// command is not repeated.
    async fn count(
        &self,
        question: impl FnOnce(&Connection) -> Result<Waiting, String>,
    ) -> Result<Option<Count>, BackendError> {
        let placed = self.lanes.of_thread().await?;
        let counted = answer(question(&placed.connection));
        let counted = self.lanes.watched(placed.place, self.deadline / 2, counted);
        match counted.await? {
            Content::Counter(value, seconds) => Ok(Some(Count {
                value,
                remaining: Duration::from_secs(seconds),
            })),
            Content::ConditionFailed => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    async fn sign_of_life(&self, placed: Placed) -> Result<(), BackendError> {
        match answer(placed.connection.sign_of_life()).await? {
            Content::SignOfLife => Ok(()),
            other => Err(unexpected(other)),
        }
    }
}

#[async_trait]
impl CacheBackend for MemcachedBackend {
    fn name(&self) -> &'static str {
        "memcached"
    }

    fn max_key_bytes(&self) -> usize {
        MAX_KEY_BYTES
    }

    fn limits_look_ups(&self) -> bool {
        true
    }

    fn answered_out_of_step(&self, _: &str) {
        self.lanes.end_out_of_step(self.deadline);
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        // No value is stored under a key that the server does not accept.
        let Some(sent_key) = Key::new(key) else {
            return Ok(None);
        };
        let sent_key = &sent_key;
        let question = |placed: Placed| async move {
            let found = self.look_up(key, sent_key, &placed.connection);
            found.await
        };
        self.lanes.ask(self.deadline, question).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        let condition = match expected {
            Version::Absent | Version::Head(_) => Condition::Absent,
            Version::Number(number) => Condition::Number(*number),
            Version::Anything => Condition::None,
        };
        storable(key, &value)?;
        let placed = self.lanes.of_thread().await?;
        // Not repeated: without an answer it is unknown whether the value was stored.
        let stored = self.store((key, &value), condition, expiration, &placed.connection);
        let stored = self.lanes.watched(placed.place, self.deadline / 2, stored);
        stored.await
    }

    async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<GetOrCreateResult, BackendError> {
        let sent_key = storable(key, &value)?;
        let (sent_key, value) = (&sent_key, &value);
        let question = |placed: Placed| async move {
            let connection = &placed.connection;
            if placed.is_second {
                // The server may still carry out the first attempt, so a second attempt only reads. If it claimed too,
                // and a deletion came between the two, the key would be claimed for data that was read before the
                // deletion (C33).
                return Ok(match self.look_up(key, sent_key, connection).await? {
                    Some(found) if found.value == *value => {
                        GetOrCreateResult::Created(found.version)
                    }
                    Some(found) => GetOrCreateResult::Found(found),
                    None => GetOrCreateResult::Contested,
                });
            }
            // Both are in the connection's queue before the queue is written.
            let (found, created) = tokio::join!(
                self.look_up(key, sent_key, connection),
                self.store((key, value), Condition::Absent, expiration, connection)
            );
            GetOrCreateResult::of(found?, created)
        };
        self.lanes.ask(self.deadline, question).await
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        let stored = self.compare_and_set(key, &Version::Anything, value, expiration);
        stored.await.map(|_| ())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        let keys = keys.iter().filter_map(|key| Key::new(key));
        let placed = self.lanes.of_thread().await?;
        // All are in the connection's queue before the queue is written.
        let deletions: Vec<_> = keys.map(|key| placed.connection.delete(&key)).collect();
        let all = join_all(deletions.into_iter().map(answer));
        let all = self.lanes.watched(placed.place, self.deadline / 2, all);
        all.await
            .into_iter()
            .try_for_each(|deleted| match deleted? {
                Content::Done(_) | Content::ConditionFailed => Ok(()),
                other => Err(unexpected(other)),
            })
    }

    async fn delete_again(&self, keys: &[String], _: Instant) -> Result<(), BackendError> {
        let keys = keys.iter().filter(|key| Key::new(key).is_some());
        let client = MetaClientBuilder::new()
            .max_idle(0)
            .connect_timeout(Some(self.connect_timeout))
            .io_timeout(Some(self.deadline))
            .connect_async(self.address.as_str());
        let client = client.await.map_err(unavailable)?;
        let deletions = client.run_many(keys.map(Delete::new)).await;
        let mut deletions = deletions.map_err(unavailable)?.into_iter();
        deletions.try_for_each(|deleted| deleted.map(|_| ()).map_err(unavailable))
    }

    async fn increment(&self, key: &str, expiration: Duration) -> Result<Count, BackendError> {
        let sent_key = storable(key, &[])?;
        let lifetime = protocol::lifetime_on_the_wire(expiration, SystemTime::now());
        let counted = self.count(|connection| connection.increment(&sent_key, lifetime));
        counted
            .await?
            .ok_or_else(|| unavailable("nothing was counted"))
    }

    async fn decrement(&self, key: &str) -> Result<(), BackendError> {
        let sent_key = storable(key, &[])?;
        let counted = self.count(|connection| connection.decrement(&sent_key));
        counted.await.map(drop)
    }

    async fn delete_pattern(&self, _: &str) -> Result<u64, BackendError> {
        Err(BackendError::PatternMatchingNotSupported(self.name()))
    }

    /// Does nothing, because the server cannot list this cache's values. The new generation of the namespace has
    /// already ended all of them.
    async fn clear(&self, _: &str, _: &str) -> Result<(), BackendError> {
        Ok(())
    }

    /// Always the same identity: a restarted server is empty, so it has no generation of the namespace. Asks on every
    /// open connection, so that a silent one is closed (C57).
    async fn server_identity(&self) -> Result<String, BackendError> {
        // Before the deadline of the breaker, so that a silent connection is closed.
        let deadline = self.deadline * 9 / 10;
        self.lanes
            .check_all(self.deadline / 2, |connection| async move {
                answer(connection.sign_of_life()).await.is_ok()
            });
        let asked = self.lanes.ask(deadline, |placed| self.sign_of_life(placed));
        asked.await.map(|()| self.name().to_owned())
    }
}

/// The tasks of the connections end with the backend.
impl Drop for MemcachedBackend {
    fn drop(&mut self) {
        self.lanes.end_all();
    }
}

async fn answer(waiting: Result<Waiting, String>) -> Result<Content, BackendError> {
    waiting.map_err(unavailable)?.await.map_err(unavailable)
}

/// The key in its sent form, if the server can store key and value.
fn storable<'a>(key: &'a str, value: &[u8]) -> Result<Key<'a>, BackendError> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(BackendError::NotStored(format!(
            "{} bytes are too many",
            value.len()
        )));
    }
    Key::new(key).ok_or_else(|| {
        BackendError::NotStored(format!(
            "the key has no or more than {MAX_KEY_BYTES} bytes as it is sent"
        ))
    })
}

fn unavailable(reason: impl std::fmt::Display) -> BackendError {
    BackendError::Unavailable(reason.to_string())
}

/// The error of a server that gives its values no numbers.
fn without_numbers() -> BackendError {
    unavailable(
        "Memcached runs without CAS (option -C), so nothing can be stored safely: start it without -C",
    )
}

/// The error of an answer that does not fit the command.
fn unexpected(content: Content) -> BackendError {
    BackendError::Unavailable(match content {
        Content::Refused(reason) => reason,
        other => format!("the server answered {other:?}"),
    })
}
