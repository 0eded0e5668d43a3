//! The backend of one group of slots: its keys are on the masters that own the slots.
//!
//! Come here to see how an operation finds its master. The operations themselves are those of a single Redis.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use rapidhash::v3::rapidhash_v3;

use super::deletion::delete;
use super::masters::Masters;
use super::slots::{slots_of, tag_of};
use crate::backends::contract::{
    BackendError, CacheBackend, Count, Found, GetOrCreateResult, Listing, Version,
};
use crate::backends::redis::RedisBackend;
use crate::backends::redis::permissions::Use;

/// The bits of a listing's place that are the cursor of one master. The rest is the number of the master.
const CURSOR_BITS: u32 = 48;

/// Entries in one group of slots of a Redis Cluster.
pub(in crate::backends) struct SlotGroup {
    masters: Arc<Masters>,
    group: usize,
}

impl SlotGroup {
    pub(super) fn new(masters: Arc<Masters>, group: usize) -> Self {
        Self { masters, group }
    }

    fn slots(&self) -> RangeInclusive<u16> {
        slots_of(self.group)
    }

    /// The connections of the masters of this group, each with its first slot here.
    fn owners(&self) -> Result<Vec<(u16, Arc<RedisBackend>)>, BackendError> {
        let mut owners: Vec<_> = Vec::new();
        {
            let seen = self.masters.seen();
            for part in seen.parts(self.group) {
                let first = *part.slots.start();
                owners.push((first, Arc::clone(&part.owner)));
            }
            if owners.is_empty() {
                return Err(BackendError::Unavailable(seen.reason.clone()));
            }
        }
        let mut met: Vec<String> = Vec::new();
        owners.retain(|(_, owner)| {
            let is_new = !met.contains(&owner.id);
            met.push(owner.id.clone());
            is_new
        });
        let owners = owners.into_iter();
        owners
            .map(|(slot, owner)| Ok((slot, self.masters.of_owner(&owner)?)))
            .collect()
    }

    /// The number of replacements of owners so far.
    fn replacements(&self) -> Result<u64, BackendError> {
        let seen = self.masters.seen();
        let replacements = seen.replacements(self.group, Instant::now());
        replacements.ok_or_else(|| BackendError::Unavailable(seen.reason.clone()))
    }

    /// Runs a change that must reach the owners that every other instance reads from.
    async fn change<T>(
        &self,
        change: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        let before = self.replacements()?;
        let changed = change.await?;
        if self.replacements()? == before {
            Ok(changed)
        } else {
            Err(replaced())
        }
    }

    /// The masters on which a change of all keys of this group is carried out, and the term in which that must be done.
    fn all_masters(&self) -> Result<(u64, Vec<Arc<RedisBackend>>), BackendError> {
        let term = self.term().ok_or_else(replaced)?;
        let owners = self.owners()?.into_iter();
        Ok((term, owners.map(|(_, master)| master).collect()))
    }

    /// Succeeds if no slot has moved since a change of all keys began in this term.
    fn check_unmoved(&self, term: u64) -> Result<(), BackendError> {
        if self.term() == Some(term) {
            Ok(())
        } else {
            Err(replaced())
        }
    }

    /// The name of the owners by which every instance recognises them.
    async fn identify(&self) -> Result<String, BackendError> {
        let term = self.term();
        let mut text = String::new();
        {
            let seen = self.masters.seen();
            if seen.is_settling(self.group, Instant::now()) {
                return Err(BackendError::Moving(
                    "the slots have other owners since a moment ago".to_owned(),
                ));
            }
            if term.is_none() {
                return Err(BackendError::Unavailable(seen.reason.clone()));
            }
            for part in seen.parts(self.group) {
                let (first, last) = (part.slots.start(), part.slots.end());
                let line = format!("{first}-{last} {} {}\n", part.owner.id, part.owner.epoch);
                text += &line;
            }
        }
        for (slot, master) in self.owners()? {
            text += &master.process_of(&format!("{{{}}}", tag_of(slot))).await?;
            text.push('\n');
        }
        if self.term() == term {
            Ok(format!("{:016x}", rapidhash_v3(text.as_bytes())))
        } else {
            Err(replaced())
        }
    }
}

fn replaced() -> BackendError {
    BackendError::Moving("the slots got other owners meanwhile".to_owned())
}

#[async_trait]
impl CacheBackend for SlotGroup {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn max_key_bytes(&self) -> usize {
        1024
    }

    fn limits_look_ups(&self) -> bool {
        true
    }

    fn own_name(&self, name: &str) -> String {
        format!("{name}{{{}}}", tag_of(*self.slots().start()))
    }

    fn term(&self) -> Option<u64> {
        let seen = self.masters.seen();
        let number = seen.number(self.group, Instant::now())?;
        let owners = seen.parts(self.group).iter();
        let losses = owners.filter_map(|part| Some(part.owner.connections.get()?.processes_lost()));
        let losses = losses.fold(0, u32::wrapping_add);
        Some((u64::from(number) << 32) | u64::from(losses))
    }

    fn settles_at(&self) -> Option<Instant> {
        Some(self.masters.seen().replaced(self.group))
    }

    fn shortfall(&self) -> Option<String> {
        let seen = self.masters.seen();
        (!seen.silent.is_empty()).then(|| seen.silent.join("; "))
    }

    async fn check_kind(&self) -> Result<(), BackendError> {
        self.masters.wait().await;
        match self.masters.misfit() {
            Some(misfit) => Err(BackendError::Unavailable(misfit)),
            None => Ok(()),
        }
    }

    async fn refused_permissions(&self, namespace: &str) -> Result<Vec<String>, BackendError> {
        let mut refused = Vec::new();
        for (slot, master) in self.owners_of_all()? {
            let tag = format!("{{{}}}", tag_of(slot));
            for rule in master.refused(namespace, Use::OfCluster(&tag)).await? {
                if !refused.contains(&rule) {
                    refused.push(rule);
                }
            }
        }
        Ok(refused)
    }

    fn answered_out_of_step(&self, key: &str) {
        if let Ok(master) = self.masters.of_key(key) {
            master.answered_out_of_step(key);
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        self.masters.of_key(key)?.get(key).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        let master = self.masters.of_key(key)?;
        master
            .compare_and_set(key, expected, value, expiration)
            .await
    }

    async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<GetOrCreateResult, BackendError> {
        let master = self.masters.of_key(key)?;
        master.get_or_create(key, value, expiration).await
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        self.masters.of_key(key)?.set(key, value, expiration).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        self.change(delete(&self.masters, keys, None)).await
    }

    async fn delete_again(
        &self,
        keys: &[String],
        first_began: Instant,
    ) -> Result<(), BackendError> {
        self.change(delete(&self.masters, keys, Some(first_began)))
            .await
    }

    async fn increment(&self, key: &str, expiration: Duration) -> Result<Count, BackendError> {
        self.masters.of_key(key)?.increment(key, expiration).await
    }

    async fn decrement(&self, key: &str) -> Result<(), BackendError> {
        self.masters.of_key(key)?.decrement(key).await
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        let (term, masters) = self.all_masters()?;
        let mut deleted = 0;
        for master in masters {
            deleted += master.delete_pattern_in(pattern, self.slots()).await?;
        }
        self.check_unmoved(term).map(|()| deleted)
    }

    async fn clear(&self, prefix: &str, kept: &str) -> Result<(), BackendError> {
        let (term, masters) = self.all_masters()?;
        for master in masters {
            master.clear_in(prefix, kept, self.slots()).await?;
        }
        self.check_unmoved(term)
    }

    /// Lists the keys of the whole Cluster, master after master.
    async fn list(
        &self,
        prefix: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<Option<Listing>, BackendError> {
        let number = cursor >> CURSOR_BITS;
        let owners = self.masters.owners();
        let owner = usize::try_from(number)
            .ok()
            .and_then(|number| owners.get(number));
        let Some(owner) = owner else {
            return Ok(Some(Listing::default()));
        };
        let master = self.masters.of_owner(owner)?;
        let of_master = cursor & ((1 << CURSOR_BITS) - 1);
        let mut part = master
            .list(prefix, of_master, limit)
            .await?
            .unwrap_or_default();
        part.next = match part.next {
            0 if number + 1 < owners.len() as u64 => (number + 1) << CURSOR_BITS,
            0 => 0,
            next => (number << CURSOR_BITS) | next,
        };
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
        self.masters
            .of_key(key)?
            .append_to_log(key, records, most)
            .await
    }

    async fn read_log(&self, key: &str, most: usize) -> Result<Vec<Bytes>, BackendError> {
        self.masters.of_key(key)?.read_log(key, most).await
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        self.identify().await
    }
}

impl SlotGroup {
    /// The connections of all masters, each with a slot of its own.
    fn owners_of_all(&self) -> Result<Vec<(u16, Arc<RedisBackend>)>, BackendError> {
        let owners = self.masters.owners();
        if owners.is_empty() {
            return Err(BackendError::Unavailable(
                self.masters.seen().reason.clone(),
            ));
        }
        let with_slot = owners.into_iter().map(|owner| {
            let slot = self.masters.slot_of_owner(&owner).unwrap_or_default();
            Ok((slot, self.masters.of_owner(&owner)?))
        });
        with_slot.collect()
    }
}
