//! The Redis backend: entries are strings, compared and set by their heads.
//!
//! Come here to see which part does which operation, or to add an operation. Deleting by key is here (`UNLINK`). All other
//! commands are in the parts that the head of [`super`] lists.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::timeout;

use super::answers::failed;
use super::batched_get::Lookups;
use super::connections::{Lanes, Placed, RedisConnector};
use super::counters;
use super::identity::{Identity, MOVING};
use super::listing;
use super::location::Location;
use super::log;
use super::patterns::{PatternDeletions, PatternIndex};
use super::permissions::{Use, refused_commands};
use super::set::Setter;
use crate::backends::contract::{
    BackendError, CacheBackend, Count, Found, GetOrCreateResult, Listing, Version,
};
use crate::options::CacheOptions;

/// Entries on a Redis server, version 6.2 or later.
pub struct RedisBackend {
    pub(super) lanes: Lanes,
    lookups: Lookups,
    setter: Setter,
    pub(super) patterns: PatternDeletions,
    pub(super) deadline: Duration,
}

impl RedisBackend {
    /// A backend that connects at its first use.
    ///
    /// # Errors
    /// The options form no address.
    pub fn new(options: &CacheOptions) -> Result<Self, BackendError> {
        let lanes = Lanes::new(RedisConnector::new(options)?, options.redis.pool_size);
        let deadline = options.operation_timeout;
        // In a Cluster the index and its keys would be on different servers.
        let index = match options.redis.nodes {
            None => PatternIndex::new(&options.namespace),
            Some(_) => PatternIndex::none(),
        };
        Ok(Self {
            lookups: Lookups::new(lanes.clone(), deadline),
            setter: Setter::new(lanes.clone(), index.clone(), deadline),
            patterns: PatternDeletions::new(lanes.clone(), index, deadline),
            lanes,
            deadline,
        })
    }

    /// The identity of the server process.
    pub(super) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.lanes.connector().identity)
    }

    /// Where the server is.
    pub(super) fn location(&self) -> Arc<Location> {
        Arc::clone(&self.lanes.connector().location)
    }

    /// Succeeds if the server of this term is still the one that every instance uses. Otherwise nothing was changed for the
    /// others.
    fn check_term(&self, term: Option<u64>) -> Result<(), BackendError> {
        let checked = self.lanes.connector().location.check(term);
        checked.map_err(BackendError::unavailable)
    }

    /// See [`CacheBackend::refused_permissions`].
    pub(super) async fn refused(
        &self,
        namespace: &str,
        use_of: Use<'_>,
    ) -> Result<Vec<String>, BackendError> {
        let opened = self.lanes.connector().open().await;
        let mut connection = opened.map_err(BackendError::unavailable)?;
        let refused = refused_commands(&mut connection.multiplexed, namespace, use_of).await;
        refused.map_err(BackendError::unavailable)
    }

    async fn unlink(&self, keys: &[String], mut placed: Placed) -> Result<(), BackendError> {
        // The client refuses an empty pipeline.
        if keys.is_empty() {
            return Ok(());
        }
        // One command for each key: on Redis Cluster the keys are on different servers.
        let mut unlink = redis::pipe();
        for key in keys {
            unlink.cmd("UNLINK").arg(key).ignore();
        }
        let term = placed.connection.term();
        let answer = unlink.query_async::<()>(&mut placed.connection);
        let answer = self.lanes.watched(placed.place, self.deadline / 2, answer);
        answer
            .await
            .map_err(|error| failed(&self.lanes, placed.place, error))?;
        self.check_term(Some(term))
    }

    /// The name of the server process, by a marker whose key has this tag. Asks on every open connection, so that a silent one is
    /// noticed (C57).
    pub(super) async fn process_of(&self, tag: &str) -> Result<String, BackendError> {
        // Before the deadline of the breaker, so that a silent connection is closed.
        let deadline = self.deadline * 9 / 10;
        let identity = self.identity();
        self.lanes
            .check_all(self.deadline / 2, move |mut connection| {
                let identity = Arc::clone(&identity);
                async move { identity.is_known(&mut connection.multiplexed).await == Ok(true) }
            });
        self.lanes
            .ask(deadline, |placed| self.identify(tag, placed))
            .await
    }

    /// The server's identity. If the answer is unusable, all connections are closed.
    async fn identify(&self, tag: &str, mut placed: Placed) -> Result<String, BackendError> {
        let connector = self.lanes.connector();
        let connection = &mut placed.connection;
        let process = connector
            .identity
            .of_server(tag, &mut connection.multiplexed);
        let process = process.await.map_err(|error| {
            if error.starts_with(MOVING) {
                return BackendError::Moving(error);
            }
            self.lanes.end_all_with(placed.place);
            BackendError::unavailable(error)
        })?;
        self.check_term(Some(connection.term()))?;
        Ok(connector
            .location
            .identity(process, connection.term.as_deref()))
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

    fn term(&self) -> Option<u64> {
        self.lanes.connector().location.term()
    }

    fn settles_at(&self) -> Option<Instant> {
        self.lanes.connector().location.settles_at()
    }

    fn shortfall(&self) -> Option<String> {
        self.lanes.connector().location.shortfall()
    }

    async fn check_kind(&self) -> Result<(), BackendError> {
        self.lanes.connector().location.wait().await;
        let asked = timeout(self.deadline, self.server_identity()).await;
        match (asked, self.identity().misfit()) {
            (Ok(Err(_)), Some(misfit)) => Err(BackendError::unavailable(misfit)),
            _ => Ok(()),
        }
    }

    async fn refused_permissions(&self, namespace: &str) -> Result<Vec<String>, BackendError> {
        self.refused(namespace, Use::Single).await
    }

    fn answered_out_of_step(&self, _: &str) {
        self.lanes.end_out_of_step(self.deadline);
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
        let setter = &self.setter;
        setter
            .compare_and_set(key, expected, value, expiration)
            .await
    }

    async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<GetOrCreateResult, BackendError> {
        self.setter.get_or_create(key, value, expiration).await
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        self.setter.set(key, value, expiration).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        self.unlink(keys, self.lanes.of_thread().await?).await
    }

    async fn delete_again(
        &self,
        keys: &[String],
        first_began: Instant,
    ) -> Result<(), BackendError> {
        let placed = self.lanes.for_second_attempt(first_began).await?;
        self.unlink(keys, placed).await
    }

    async fn increment(&self, key: &str, expiration: Duration) -> Result<Count, BackendError> {
        counters::increment(&self.lanes, self.deadline, key, expiration).await
    }

    async fn decrement(&self, key: &str) -> Result<(), BackendError> {
        counters::decrement(&self.lanes, self.deadline, key).await
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        let term = self.term();
        let deleted = self.patterns.delete(pattern).await?;
        self.check_term(term).map(|()| deleted)
    }

    async fn clear(&self, prefix: &str, kept: &str) -> Result<(), BackendError> {
        let term = self.term();
        self.patterns.clear(prefix, kept).await?;
        self.check_term(term)
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<Option<Listing>, BackendError> {
        let part = listing::list(&self.lanes, self.deadline, prefix, cursor, limit).await?;
        Ok(Some(part))
    }

    fn keeps_log(&self) -> bool {
        true
    }

    async fn append_to_log(
        &self,
        key: &str,
        records: &[Bytes],
        most: usize,
    ) -> Result<(), BackendError> {
        log::append(&self.lanes, self.deadline, key, records, most).await
    }

    async fn read_log(&self, key: &str, most: usize) -> Result<Vec<Bytes>, BackendError> {
        log::read(&self.lanes, self.deadline, key, most).await
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        self.process_of("").await
    }
}

impl std::fmt::Debug for RedisBackend {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RedisBackend")
            .finish_non_exhaustive()
    }
}
