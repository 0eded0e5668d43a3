//! What a master of a Redis Cluster does besides the operations of a single Redis.
//!
//! Come here to change a command that is sent to one master alone. Which master a key takes is decided in `masters` and `deletion`.

use std::ops::RangeInclusive;
use std::time::Instant;

use redis::Value;

use crate::backends::contract::BackendError;
use crate::backends::redis::RedisBackend;
use crate::backends::redis::answers::{failed, refused};
use crate::backends::redis::redirection::{Redirection, redirection};
use crate::options::CacheOptions;

impl RedisBackend {
    /// A master of a Redis Cluster at this address.
    ///
    /// # Errors
    /// The options form no address.
    pub(super) fn of_cluster(
        options: &CacheOptions,
        host: &str,
        port: u16,
    ) -> Result<Self, BackendError> {
        let mut options = options.clone();
        host.clone_into(&mut options.redis.host);
        options.redis.port = port;
        Self::new(&options)
    }

    /// The number of connections that led to another process than before.
    pub(super) fn processes_lost(&self) -> u32 {
        self.lanes.connector().identity.lost()
    }

    /// Deletes keys in slots of this master. Returns the keys that are elsewhere. `asking` means that their slots are on the way to
    /// it; `first_began` is the beginning of an earlier attempt, whose connection is not used again.
    pub(super) async fn unlink_or_redirect(
        &self,
        keys: Vec<String>,
        asking: bool,
        first_began: Option<Instant>,
    ) -> Result<Vec<(String, Redirection)>, BackendError> {
        let mut placed = match first_began {
            None => self.lanes.of_thread().await?,
            Some(began) => self.lanes.for_second_attempt(began).await?,
        };
        let mut unlink = redis::pipe();
        for key in &keys {
            if asking {
                unlink.cmd("ASKING").ignore();
            }
            unlink.cmd("UNLINK").arg(key);
        }
        unlink.ignore_errors();
        let answer = unlink.query_async::<Vec<Value>>(&mut placed.connection);
        let answer = self.lanes.watched(placed.place, self.deadline / 2, answer);
        let answers = answer
            .await
            .map_err(|error| failed(&self.lanes, placed.place, error))?;
        let mut elsewhere = Vec::new();
        for (key, answer) in keys.into_iter().zip(answers) {
            if let Value::ServerError(error) = answer {
                let redirection = redirection(&error);
                let redirection =
                    redirection.ok_or_else(|| refused(&self.lanes, placed.place, &error))?;
                elsewhere.push((key, redirection));
            }
        }
        Ok(elsewhere)
    }

    /// Deletes the keys in these slots that match the glob.
    pub(super) async fn delete_pattern_in(
        &self,
        pattern: &str,
        slots: RangeInclusive<u16>,
    ) -> Result<u64, BackendError> {
        self.patterns.delete_in(pattern, slots).await
    }

    /// Deletes the values of this cache in these slots whose keys begin with the prefix, but for the kept key.
    pub(super) async fn clear_in(
        &self,
        prefix: &str,
        kept: &str,
        slots: RangeInclusive<u16>,
    ) -> Result<(), BackendError> {
        self.patterns.clear_in(prefix, kept, slots).await
    }
}
