//! The Memcached backend.
//!
//! What a request does for a read (look-up, claim, fill) goes over shared connections with many
//! commands in flight, see `connections`. What is rare or stands for itself (deletions, plain sets, probes)
//! goes through the crate `memcache`, one command a connection. Mixing the two costs no correctness: a
//! deletion is done by the server when it returns, so that whatever is sent afterwards, on whatever
//! connection, comes after it; and what was sent before and arrives late is a claim or a fill, which
//! stores only over what was seen.
//!
//! Versions are the server's CAS numbers. They begin anew when the server restarts, but a restarted
//! server is empty and has lost the namespace's generation too, so that what is stored under a
//! number from before the restart carries a generation that is not trusted any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use memcache::exp::{AsyncMetaClient, Delete, Error, MetaClientBuilder, MutationResult, Set, Ttl};

use super::connections::{Lanes, Server};
use super::protocol::{self, Condition, Content, Key, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::infrastructure::cache::backends::contract::{
    BackendError, CacheBackend, Found, Standing, Version,
};
use crate::infrastructure::cache::options::MemcachedOptions;

/// Entries on a Memcached server, version 1.6 or later.
pub struct MemcachedBackend {
    lanes: Lanes,
    address: String,
    builder: MetaClientBuilder,
    /// The client for what is rare. Made anew after a failure, since it looks the address up only once.
    client: Mutex<Option<Arc<AsyncMetaClient>>>,
}

impl MemcachedBackend {
    /// A backend that connects when it is first used.
    #[must_use]
    pub fn new(options: &MemcachedOptions, operation_timeout: Duration) -> Self {
        let connect_timeout = options.connect_timeout;
        let server = Server {
            host: options.host.clone(),
            port: options.port,
            connect_timeout,
            operation_timeout,
        };
        let connections = options.pool_size;
        let builder = MetaClientBuilder::new()
            .max_idle(connections)
            .max_connections(Some(connections))
            .connect_timeout(Some(connect_timeout))
            // The deadline of an operation is set by whoever waits for it.
            .io_timeout(None);
        Self {
            address: format!("{}:{}", server.host, server.port),
            lanes: Lanes::new(server, connections),
            builder,
            client: Mutex::default(),
        }
    }

    fn known_client(&self) -> MutexGuard<'_, Option<Arc<AsyncMetaClient>>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn client(&self) -> Result<Arc<AsyncMetaClient>, BackendError> {
        let known = self.known_client().clone();
        if let Some(client) = known {
            return Ok(client);
        }
        let connected = self.builder.clone().connect_async(self.address.as_str());
        let client = connected
            .await
            .map_err(|error| BackendError::Unavailable(error.to_string()))?;
        // Of several that are made at the same time one stays.
        Ok(Arc::clone(
            self.known_client().get_or_insert(Arc::new(client)),
        ))
    }

    fn failed(&self, error: Error) -> BackendError {
        *self.known_client() = None;
        BackendError::Unavailable(error.to_string())
    }

    /// The number of a value that was stored by a server that does not tell it, if it is still there.
    async fn number_of(&self, key: &str, value: &Bytes) -> Result<Option<Version>, BackendError> {
        let stored = self.get(key).await?;
        Ok(stored
            .filter(|stored| stored.value == value)
            .map(|stored| stored.version))
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

    fn answered_out_of_step(&self, _: &str) {
        self.lanes.end_all();
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        // Nothing is stored under a key that the server does not take.
        let Some(sent_key) = Key::new(key) else {
            return Ok(None);
        };
        let connection = self.lanes.of_thread().await.map_err(unavailable)?;
        let answer = connection.look_up(key, &sent_key).map_err(unavailable)?;
        match answer.await.map_err(unavailable)? {
            Content::Value(value, number) => Ok(Some(Found {
                value,
                version: number.map_or(Version::Anything, Version::Number),
            })),
            Content::Absent => Ok(None),
            other => Err(unexpected(other)),
        }
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
        let sent_key = storable(key, &value)?;
        let lifetime = protocol::lifetime_on_the_wire(expiration, SystemTime::now());
        let connection = self.lanes.of_thread().await.map_err(unavailable)?;
        let answer = connection
            .store(&sent_key, &value, condition, lifetime)
            .map_err(unavailable)?;
        match answer.await.map_err(unavailable)? {
            Content::Stored(Some(number)) => Ok(Some(Version::Number(number))),
            Content::Stored(None) => self.number_of(key, &value).await,
            Content::ConditionFailed => Ok(None),
            // The server is well but will not have this value: too large, or no memory left.
            Content::Refused(reason) => Err(BackendError::NotStored(reason)),
            other => Err(unexpected(other)),
        }
    }

    async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Standing, BackendError> {
        // Both are in the connection's queue before it is written.
        let (found, created) = tokio::join!(
            self.get(key),
            self.compare_and_set(key, &Version::Absent, value, expiration)
        );
        Standing::of(found?, created)
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        storable(key, &value)?;
        let lifetime = protocol::lifetime_seconds(expiration, SystemTime::now());
        let set = Set::new(key, &value).ttl(Ttl::secs(lifetime));
        match self.client().await?.run(set).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match refusal(&error) {
                Some(reason) => BackendError::NotStored(reason),
                None => self.failed(error),
            }),
        }
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        let keys = keys.iter().filter(|key| Key::new(key).is_some());
        let results: Vec<Result<MutationResult, Error>> = self
            .client()
            .await?
            .run_many(keys.map(Delete::new))
            .await
            .map_err(|error| self.failed(error))?;
        results
            .into_iter()
            .try_for_each(|result| result.map(|_| ()).map_err(|error| self.failed(error)))
    }

    async fn delete_pattern(&self, _: &str) -> Result<u64, BackendError> {
        Err(BackendError::PatternMatchingNotSupported(self.name()))
    }

    /// Does nothing: the server cannot list what is ours, and the namespace's new generation has made
    /// all of it worthless already.
    async fn clear(&self, _: &str) -> Result<(), BackendError> {
        Ok(())
    }

    /// Always the same: a restarted server remembers nothing, the namespace's generation included.
    async fn server_identity(&self) -> Result<String, BackendError> {
        let unanswered = Unanswered(Some(self));
        let answer = async {
            self.client()
                .await?
                .noop()
                .await
                .map_err(|error| self.failed(error))
        };
        let answer = answer.await;
        unanswered.answered();
        answer.map(|()| "memcached".to_owned())
    }
}

/// A probe under way. When it is given up, the connections are too: one that the network has
/// forgotten stays silent for as long as TCP repeats itself, while a new one would be answered.
struct Unanswered<'a>(Option<&'a MemcachedBackend>);

impl Unanswered<'_> {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(backend) = self.0 {
            *backend.known_client() = None;
            backend.lanes.end_all();
        }
    }
}

/// The tasks of the connections end with the backend.
impl Drop for MemcachedBackend {
    fn drop(&mut self) {
        self.lanes.end_all();
    }
}

/// The key as it is sent, where key and value are such as the server can take.
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

/// What the server said where it refuses a value.
fn refusal(error: &Error) -> Option<String> {
    match error {
        Error::Server(message) => Some(message.clone()),
        Error::Ambiguous { source, .. } => refusal(source),
        _ => None,
    }
}

fn unavailable(reason: String) -> BackendError {
    BackendError::Unavailable(reason)
}

/// An answer that is none to what was asked.
fn unexpected(content: Content) -> BackendError {
    BackendError::Unavailable(match content {
        Content::Refused(reason) => reason,
        other => format!("the server answered {other:?}"),
    })
}
