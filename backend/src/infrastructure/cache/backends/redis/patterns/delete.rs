//! Deletions that take many commands: by pattern, and of everything.
//!
//! Come here when such a deletion is slow or does not end. The proof that it misses no key is in
//! `index`. Every command may be sent twice, so that a silent connection costs a part of a deadline and
//! does not fail the whole deletion (C57).

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, FromRedisValue, Pipeline};

use super::index::{self, PatternIndex};
use crate::backends::contract::BackendError;
use crate::backends::glob;
use crate::backends::head::MAGIC;
use crate::backends::redis::answers::failed;
use crate::backends::redis::cluster::slot_of;
use crate::backends::redis::connections::{Lanes, Placed};

/// The number of keys that one SCAN looks at: so few that other clients do not wait.
const SCAN_COUNT: usize = 5000;
/// The number of keys that are deleted in one pipeline.
const UNLINK_BATCH: usize = 500;

/// The slots of every key.
const EVERY_SLOT: RangeInclusive<u16> = 0..=u16::MAX;

/// Deletes by pattern.
pub(in crate::backends::redis) struct PatternDeletions {
    lanes: Lanes,
    index: PatternIndex,
    /// The deadline of each command.
    deadline: Duration,
}

impl PatternDeletions {
    pub(in crate::backends::redis) fn new(
        lanes: Lanes,
        index: PatternIndex,
        deadline: Duration,
    ) -> Self {
        Self {
            lanes,
            index,
            deadline,
        }
    }

    /// Deletes the keys that match the glob. Returns their number.
    pub(in crate::backends::redis) async fn delete(
        &self,
        pattern: &str,
    ) -> Result<u64, BackendError> {
        match self.index.of_glob(pattern) {
            Some((index, all)) => self.delete_indexed(pattern, &index, &all).await,
            None => {
                self.scan_and_unlink(pattern, Choice::All, &EVERY_SLOT)
                    .await
            }
        }
    }

    /// Deletes the keys in these slots that match the glob, by a SCAN. Returns their number.
    pub(in crate::backends::redis) async fn delete_in(
        &self,
        pattern: &str,
        slots: RangeInclusive<u16>,
    ) -> Result<u64, BackendError> {
        self.scan_and_unlink(pattern, Choice::All, &slots).await
    }

    /// Deletes the values of this cache whose keys begin with the prefix, but for the kept key.
    pub(in crate::backends::redis) async fn clear(
        &self,
        prefix: &str,
        kept: &str,
    ) -> Result<(), BackendError> {
        self.clear_in(prefix, kept, EVERY_SLOT).await
    }

    /// The same for the keys in these slots.
    pub(in crate::backends::redis) async fn clear_in(
        &self,
        prefix: &str,
        kept: &str,
        slots: RangeInclusive<u16>,
    ) -> Result<(), BackendError> {
        let pattern = format!("{}*", glob::escape(prefix));
        let chosen = Choice::OfThisCache { kept };
        let deleted = self.scan_and_unlink(&pattern, chosen, &slots).await;
        deleted.map(|_| ())
    }

    /// Deletes the keys that match a glob with an index: by the index, or otherwise by a SCAN that
    /// completes the index.
    async fn delete_indexed(
        &self,
        pattern: &str,
        index: &str,
        all: &str,
    ) -> Result<u64, BackendError> {
        let mut deleted = 0;
        if self.is_complete(index).await? {
            deleted += self.unlink_members(index, pattern, "").await?;
            // These keys are being unlinked by another deletion, or a killed deletion has left them behind.
            deleted += self.unlink_members(index, pattern, index::GOING).await?;
            // The set may have ended while its members were read.
            if self.is_complete(index).await? {
                return Ok(deleted);
            }
        }
        let builder = format!("~building:{:016x}", rand::random::<u64>());
        self.command::<()>(index::start(index, &builder)).await?;
        let sorted = Choice::Sorted { pattern, index };
        deleted += self.scan_and_unlink(all, sorted, &EVERY_SLOT).await?;
        self.command::<()>(index::finish(index, &builder)).await?;
        Ok(deleted)
    }

    async fn is_complete(&self, index: &str) -> Result<bool, BackendError> {
        let mut ask = redis::cmd("SISMEMBER");
        ask.arg(index).arg(index::COMPLETE);
        self.command(ask).await
    }

    /// Unlinks the keys of the members that match the glob behind this prefix.
    async fn unlink_members(
        &self,
        index: &str,
        pattern: &str,
        prefix: &str,
    ) -> Result<u64, BackendError> {
        let (mut cursor, mut deleted): (u64, u64) = (0, 0);
        loop {
            let mut scan = redis::cmd("SSCAN");
            scan.arg(index).arg(cursor);
            scan.arg("MATCH").arg(format!("{prefix}{pattern}"));
            scan.arg("COUNT").arg(SCAN_COUNT);
            let (next, members): (u64, Vec<Bytes>) = self.command(scan).await?;
            let keys: Vec<Bytes> = members
                .iter()
                .map(|member| member.slice(prefix.len().min(member.len())..))
                .collect();
            for batch in keys.chunks(UNLINK_BATCH) {
                let mut unlink = redis::pipe();
                index::leave(&mut unlink, index, batch);
                for key in batch {
                    unlink.cmd("UNLINK").arg(&key[..]);
                }
                index::left(&mut unlink, index, batch);
                deleted += self.sum(&unlink).await?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(deleted);
            }
        }
    }

    /// Runs the SCAN with the pattern to its end, and unlinks the chosen keys in these slots.
    async fn scan_and_unlink(
        &self,
        pattern: &str,
        choice: Choice<'_>,
        slots: &RangeInclusive<u16>,
    ) -> Result<u64, BackendError> {
        let (mut cursor, mut deleted): (u64, u64) = (0, 0);
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern);
            scan.arg("COUNT").arg(SCAN_COUNT);
            scan.arg("TYPE").arg("string");
            let (next, mut keys): (u64, Vec<Bytes>) = self.command(scan).await?;
            if *slots != EVERY_SLOT {
                keys.retain(|key| slots.contains(&slot_of(key)));
            }
            for batch in keys.chunks(UNLINK_BATCH) {
                let chosen = self.choose(choice, batch.to_vec()).await?;
                if !chosen.is_empty() {
                    let mut unlink = redis::pipe();
                    for key in &chosen {
                        unlink.cmd("UNLINK").arg(&key[..]);
                    }
                    deleted += self.sum(&unlink).await?;
                }
            }
            cursor = next;
            if cursor == 0 {
                return Ok(deleted);
            }
        }
    }

    async fn choose(
        &self,
        choice: Choice<'_>,
        keys: Vec<Bytes>,
    ) -> Result<Vec<Bytes>, BackendError> {
        match choice {
            Choice::All => Ok(keys),
            Choice::OfThisCache { kept } => {
                let mut heads = redis::pipe();
                for key in &keys {
                    let head = heads.cmd("GETRANGE").arg(&key[..]);
                    head.arg(0).arg(MAGIC.len() - 1);
                }
                let heads: Vec<Bytes> = self.run(&heads).await?;
                let ours = keys.into_iter().zip(heads);
                let ours = ours.filter(|(key, head)| head == MAGIC && key != kept);
                Ok(ours.map(|(key, _)| key).collect())
            }
            Choice::Sorted { pattern, index } => {
                let matches = |key: &Bytes| {
                    std::str::from_utf8(key).is_ok_and(|key| glob::matches(pattern, key))
                };
                let (matching, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(matches);
                if !others.is_empty() {
                    let mut entering = redis::pipe();
                    index::enter(&mut entering, index, &others);
                    self.run::<()>(&entering).await?;
                }
                Ok(matching)
            }
        }
    }

    /// The sum of the numbers that answer the commands of a pipeline.
    async fn sum(&self, pipeline: &Pipeline) -> Result<u64, BackendError> {
        let counts: Vec<u64> = self.run(pipeline).await?;
        Ok(counts.iter().sum())
    }

    async fn command<T: FromRedisValue>(&self, command: Cmd) -> Result<T, BackendError> {
        let mut pipeline = redis::pipe();
        pipeline.add_command(command);
        self.run::<(T,)>(&pipeline).await.map(|(answer,)| answer)
    }

    /// Runs a few commands within one deadline. If their connection is lost, or they have no answer, they are run once more,
    /// within another deadline: otherwise the failed deletion would distrust the namespace although the server is available.
    async fn run<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, BackendError> {
        let question = |mut placed: Placed| async move {
            let answer = pipeline.query_async(&mut placed.connection).await;
            answer.map_err(|error| failed(&self.lanes, placed.place, error))
        };
        match self.lanes.ask(self.deadline, question).await {
            Err(BackendError::Unavailable(_)) => self.lanes.ask(self.deadline, question).await,
            answer => answer,
        }
    }
}

/// The choice of keys of a SCAN that are unlinked.
#[derive(Clone, Copy)]
enum Choice<'a> {
    All,
    /// Keys whose value is one of this cache, but for the kept key.
    OfThisCache {
        kept: &'a str,
    },
    /// Keys that match. The others are entered in the index.
    Sorted {
        pattern: &'a str,
        index: &'a str,
    },
}
