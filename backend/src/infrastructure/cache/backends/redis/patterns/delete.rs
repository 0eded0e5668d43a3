//! Deletions that take many commands: by pattern, and of everything.

use std::future::Future;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisError};
use tokio::time::timeout;

use super::index;
use crate::infrastructure::cache::backends::contract::BackendError;
use crate::infrastructure::cache::backends::glob;
use crate::infrastructure::cache::backends::redis::backend::RedisBackend;
use crate::infrastructure::cache::backends::redis::connections::Ticket;

/// How many keys one SCAN looks at: few enough not to keep other clients waiting.
const SCAN_COUNT: usize = 5000;
/// Keys deleted in one pipeline.
const UNLINK_BATCH: usize = 500;

impl RedisBackend {
    /// Deletes what matches a glob whose keys have an index: by the index, or else by a SCAN that
    /// makes the index complete.
    pub(in crate::infrastructure::cache::backends::redis) async fn delete_indexed(
        &self,
        ticket: &Ticket,
        pattern: &str,
        index: &str,
        all: &str,
    ) -> Result<u64, BackendError> {
        let mut deleted = 0;
        if self.is_complete(ticket, index).await? {
            let mut cursor: u64 = 0;
            loop {
                let mut scan = redis::cmd("SSCAN");
                scan.arg(index)
                    .arg(cursor)
                    .arg("MATCH")
                    .arg(pattern)
                    .arg("COUNT")
                    .arg(SCAN_COUNT);
                let page: (u64, Vec<Bytes>) = self.page(ticket, &scan).await?;
                deleted += self.unlink(ticket, Some(index), &page.1).await?;
                cursor = page.0;
                if cursor == 0 {
                    break;
                }
            }
            // It may have ended meanwhile, and what was read of it with it.
            if self.is_complete(ticket, index).await? {
                return Ok(deleted);
            }
        }
        let builder = format!("~building:{:016x}", rand::random::<u64>());
        self.page::<()>(ticket, &index::start(index, &builder))
            .await?;
        let sort = |mut connection: MultiplexedConnection, keys: Vec<Bytes>| async move {
            let (matching, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| {
                std::str::from_utf8(key).is_ok_and(|key| glob::matches(pattern, key))
            });
            if !others.is_empty() {
                let mut entering = redis::pipe();
                index::enter(&mut entering, index, &others);
                entering.query_async::<()>(&mut connection).await?;
            }
            Ok(matching)
        };
        deleted += self.scan_and_unlink(ticket, all, sort).await?;
        self.page::<()>(ticket, &index::finish(index, &builder))
            .await?;
        Ok(deleted)
    }

    async fn is_complete(&self, ticket: &Ticket, index: &str) -> Result<bool, BackendError> {
        let mut ask = redis::cmd("SISMEMBER");
        ask.arg(index).arg(index::COMPLETE);
        self.page(ticket, &ask).await
    }

    /// One command of a long operation.
    async fn page<T: FromRedisValue>(
        &self,
        ticket: &Ticket,
        command: &redis::Cmd,
    ) -> Result<T, BackendError> {
        self.bounded(ticket, command.query_async(&mut ticket.connection.clone()))
            .await
    }

    /// Unlinks keys; those of an index are taken from it first.
    async fn unlink(
        &self,
        ticket: &Ticket,
        index: Option<&str>,
        keys: &[Bytes],
    ) -> Result<u64, BackendError> {
        let mut deleted = 0;
        for batch in keys.chunks(UNLINK_BATCH) {
            let mut unlink = redis::pipe();
            if let Some(index) = index {
                let remove = unlink.cmd("SREM").arg(index);
                for key in batch {
                    remove.arg(&key[..]);
                }
                remove.ignore();
            }
            for key in batch {
                unlink.cmd("UNLINK").arg(&key[..]);
            }
            let counts: Vec<u64> = self
                .bounded(ticket, unlink.query_async(&mut ticket.connection.clone()))
                .await?;
            deleted += counts.iter().sum::<u64>();
        }
        Ok(deleted)
    }

    /// Runs the SCAN with the pattern to its end and unlinks the keys that `choose` leaves.
    pub(in crate::infrastructure::cache::backends::redis) async fn scan_and_unlink<Choice>(
        &self,
        ticket: &Ticket,
        pattern: &str,
        choose: impl Fn(MultiplexedConnection, Vec<Bytes>) -> Choice,
    ) -> Result<u64, BackendError>
    where
        Choice: Future<Output = Result<Vec<Bytes>, RedisError>> + Send,
    {
        let mut cursor: u64 = 0;
        let mut deleted = 0;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(pattern)
                .arg("COUNT")
                .arg(SCAN_COUNT)
                .arg("TYPE")
                .arg("string");
            let page: (u64, Vec<Bytes>) = self.page(ticket, &scan).await?;
            cursor = page.0;
            for batch in page.1.chunks(UNLINK_BATCH) {
                let keys = self
                    .bounded(ticket, choose(ticket.connection.clone(), batch.to_vec()))
                    .await?;
                deleted += self.unlink(ticket, None, &keys).await?;
            }
            if cursor == 0 {
                return Ok(deleted);
            }
        }
    }

    /// Each command of a long operation has its own deadline.
    async fn bounded<T>(
        &self,
        ticket: &Ticket,
        command: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, BackendError> {
        match timeout(self.command_timeout, command).await {
            Ok(answer) => answer.map_err(|error| self.failed(ticket, error)),
            Err(_) => Err(BackendError::no_answer_within(self.command_timeout)),
        }
    }
}
