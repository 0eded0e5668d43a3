//! The Redis backend: entries are strings, compared and set by their heads.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::{Manager, Pool, PoolConfig, Runtime, Timeouts};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, ProtocolVersion, RedisError, Script, Value};

use super::answers::{connection_info, failed, milliseconds, unavailable, version_of};
use super::batched_get::{self, Lookups};
use super::connections::{Lanes, Ticket};
use super::patterns::PatternIndex;
use super::set::set_if_absent;
use crate::infrastructure::cache::backends::contract::{
    BackendError, CacheBackend, Found, Standing, Version,
};
use crate::infrastructure::cache::backends::glob;
use crate::infrastructure::cache::backends::head::MAGIC;
use crate::infrastructure::cache::options::CacheOptions;

/// Connections that a lane may be trying to make at the same time: as many as begin, at the pace of
/// probes, before the first one gives up.
const ATTEMPTS_OF_A_LANE: usize = 16;

/// Stores a value if the key holds the one with this head. One key only, so that it runs on Redis
/// Cluster too; a value of another type is no match.
const COMPARE_AND_SET: &str = "\
local head = redis.pcall('GETRANGE', KEYS[1], 0, #ARGV[1] - 1)
if head == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return 0";

/// Entries on a Redis server, version 6.2 or later.
pub struct RedisBackend {
    pub(super) lanes: Lanes,
    lookups: Lookups,
    compare_and_set: Script,
    pub(super) index: PatternIndex,
    pub(super) command_timeout: Duration,
}

impl RedisBackend {
    /// A backend that connects when it is first used.
    ///
    /// # Errors
    /// Where host, port, database and password make no address.
    pub fn new(options: &CacheOptions) -> Result<Self, BackendError> {
        let connect_timeout = options.redis.connect_timeout;
        let address = connection_info(options, ProtocolVersion::RESP2)?;
        // The deadline of an operation is set by whoever waits for it.
        let connection = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect_timeout))
            .set_response_timeout(None);
        let manager = Manager::new_with_config(address, connection).map_err(unavailable)?;
        let timeouts = Timeouts {
            wait: Some(connect_timeout),
            create: Some(connect_timeout),
            recycle: None,
        };
        let count = options.redis.pool_size;
        let pool = Pool::builder(manager)
            .config(PoolConfig {
                // Each lane holds one, and may have several attempts under way.
                max_size: count.saturating_mul(ATTEMPTS_OF_A_LANE),
                timeouts,
                ..PoolConfig::default()
            })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(unavailable)?;
        let command_timeout = options.operation_timeout;
        let lanes = Lanes::new(pool, count);
        Ok(Self {
            lookups: Lookups::new(lanes.clone(), command_timeout),
            lanes,
            compare_and_set: Script::new(COMPARE_AND_SET),
            index: PatternIndex::new(&options.namespace),
            command_timeout,
        })
    }

    /// Sends one command on this thread's lane.
    async fn command<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, BackendError> {
        let mut ticket = self
            .lanes
            .of_thread()
            .await
            .map_err(BackendError::Unavailable)?;
        let answer = command.query_async(&mut ticket.connection).await;
        answer.map_err(|error| self.failed(&ticket, error))
    }

    pub(super) fn failed(&self, ticket: &Ticket, error: RedisError) -> BackendError {
        failed(&self.lanes, ticket, error)
    }
}

#[async_trait]
impl CacheBackend for RedisBackend {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn max_key_bytes(&self) -> usize {
        1024
    }

    fn limits_look_ups(&self) -> bool {
        true
    }

    fn answered_out_of_step(&self, _: &str) {
        self.lanes.end_all();
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        self.lookups.get(key).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        let lifetime = milliseconds(expiration);
        let stored = match expected {
            Version::Head(head) => {
                let mut ticket = self
                    .lanes
                    .of_thread()
                    .await
                    .map_err(BackendError::Unavailable)?;
                let mut call = self.compare_and_set.key(key);
                call.arg(&head[..]).arg(&value[..]).arg(lifetime);
                let answer = call.invoke_async(&mut ticket.connection).await;
                answer.map_err(|error| self.failed(&ticket, error))?
            }
            Version::Absent | Version::Number(_) => {
                let mut creation = redis::pipe();
                creation.add_command(set_if_absent(key, &value, lifetime));
                let (ticket, mut answers) = self.create(key, creation).await?;
                self.was_set(&ticket, answers.pop())?
            }
            Version::Anything => {
                self.set(key, value.clone(), expiration).await?;
                true
            }
        };
        Ok(stored.then(|| version_of(&value)))
    }

    async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Standing, BackendError> {
        let mut both = redis::pipe();
        both.cmd("GET").arg(key);
        both.add_command(set_if_absent(key, &value, milliseconds(expiration)));
        let (ticket, mut answers) = self.create(key, both).await?;
        let created = self.was_set(&ticket, answers.pop());
        let found = answers.pop().unwrap_or(Value::Nil);
        let found = batched_get::read(&self.lanes, &ticket, found)?;
        Standing::of(found, created.map(|set| set.then(|| version_of(&value))))
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        let mut set = redis::pipe();
        set.cmd("SET")
            .arg(key)
            .arg(&value[..])
            .arg("PX")
            .arg(milliseconds(expiration));
        let (ticket, mut answers) = self.create(key, set).await?;
        self.was_set(&ticket, answers.pop()).map(|_| ())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        // The client refuses an empty pipeline.
        if keys.is_empty() {
            return Ok(());
        }
        let mut ticket = self
            .lanes
            .in_turn()
            .await
            .map_err(BackendError::Unavailable)?;
        // A command for each key: on Redis Cluster they live on different servers.
        let mut unlink = redis::pipe();
        for key in keys {
            unlink.cmd("UNLINK").arg(key).ignore();
        }
        let answer = unlink.query_async::<()>(&mut ticket.connection).await;
        answer.map_err(|error| self.failed(&ticket, error))
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        let ticket = self
            .lanes
            .in_turn()
            .await
            .map_err(BackendError::Unavailable)?;
        match self.index.of_glob(pattern) {
            Some((index, all)) => self.delete_indexed(&ticket, pattern, &index, &all).await,
            None => {
                self.scan_and_unlink(&ticket, pattern, |_, keys| async { Ok(keys) })
                    .await
            }
        }
    }

    async fn clear(&self, prefix: &str) -> Result<(), BackendError> {
        let pattern = format!("{}*", glob::escape(prefix));
        let ours = |mut connection: MultiplexedConnection, keys: Vec<Bytes>| async move {
            let mut heads = redis::pipe();
            for key in &keys {
                heads
                    .cmd("GETRANGE")
                    .arg(&key[..])
                    .arg(0)
                    .arg(MAGIC.len() - 1);
            }
            let heads: Vec<Bytes> = heads.query_async(&mut connection).await?;
            Ok(keys
                .into_iter()
                .zip(heads)
                .filter(|(_, head)| head == MAGIC)
                .map(|(key, _)| key)
                .collect())
        };
        let ticket = self
            .lanes
            .in_turn()
            .await
            .map_err(BackendError::Unavailable)?;
        self.scan_and_unlink(&ticket, &pattern, ours)
            .await
            .map(|_| ())
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        let unanswered = Unanswered(Some(&self.lanes));
        let information = self.command(redis::cmd("INFO").arg("server")).await;
        unanswered.answered();
        let information: String = information?;
        let identity = information
            .lines()
            .find_map(|line| line.strip_prefix("run_id:"));
        identity
            .map(|identity| identity.trim().to_owned())
            .ok_or_else(|| BackendError::Unavailable("INFO names no run_id".to_owned()))
    }
}

/// A probe under way. When it is given up, the connections are too: one that the network has
/// forgotten stays silent for as long as TCP repeats itself, while a new one would be answered.
struct Unanswered<'a>(Option<&'a Lanes>);

impl Unanswered<'_> {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(lanes) = self.0 {
            lanes.end_all();
        }
    }
}
