//! The masters of a Redis Cluster, and what this process knows of their slots.
//!
//! Come here to see which connections a key takes. Each master has the connections of a single Redis, which all groups of
//! slots share: so look-ups of one turn of the event loop are one message to each master. Which owner is believed is decided in
//! `seen`.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};

use super::ask::{NO_CLUSTER, Voter};
use super::map::Owner;
use super::seen::{START_WAIT, Seen};
use super::slots::{GROUPS, slot_of};
use crate::backends::contract::BackendError;
use crate::backends::redis::RedisBackend;
use crate::backends::redis::address;
use crate::backends::redis::topology_round::ask_all;
use crate::options::{CacheOptions, ServerAddress};

/// The time between the beginnings of two questions, if the first one has ended by then.
const PERIOD: Duration = Duration::from_millis(200);
/// The pause after answers that did not agree: slots are moving.
const SHORT_PAUSE: Duration = Duration::from_millis(20);

/// The masters, watched until the last group that uses them is dropped.
pub(super) struct Masters {
    options: CacheOptions,
    seen: Arc<RwLock<Seen>>,
    /// The masters that are in use, with their owners in the map.
    used: Mutex<Vec<(Arc<Owner>, Arc<RedisBackend>)>>,
    began: Instant,
    task: JoinHandle<()>,
}

impl Masters {
    /// Watches the Cluster of these nodes. Starts a task, which needs a Tokio runtime.
    ///
    /// # Errors
    /// The options form no address.
    pub(super) fn new(
        options: &CacheOptions,
        nodes: &[ServerAddress],
    ) -> Result<Self, BackendError> {
        let mut voters = Vec::new();
        for node in nodes {
            let address = address::of_master(&options.redis, &node.host, node.port)?;
            voters.push(Voter::new(node.to_string(), node.host.clone(), address));
        }
        let seen = Arc::new(RwLock::new(Seen::nothing()));
        Ok(Self {
            options: options.clone(),
            task: tokio::spawn(watch(voters, Arc::clone(&seen))),
            seen,
            used: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// The owners of the slots, as far as this process knows them.
    pub(super) fn seen(&self) -> RwLockReadGuard<'_, Seen> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The master that owns the slot of a key.
    ///
    /// # Errors
    /// The owner is not known.
    pub(super) fn of_key(&self, key: &str) -> Result<Arc<RedisBackend>, BackendError> {
        let owner = self.seen().owner(slot_of(key.as_bytes())).cloned();
        let owner = owner.ok_or_else(|| BackendError::Unavailable(self.seen().reason.clone()))?;
        self.of_owner(&owner)
    }

    /// The connections of a master.
    ///
    /// # Errors
    /// Its address cannot be used.
    pub(super) fn of_owner(&self, owner: &Arc<Owner>) -> Result<Arc<RedisBackend>, BackendError> {
        if let Some(master) = owner.connections.get() {
            return Ok(Arc::clone(master));
        }
        let known: Vec<String> = {
            let seen = self.seen();
            seen.masters
                .iter()
                .map(|master| master.id.clone())
                .collect()
        };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|(other, _)| known.contains(&other.id));
        let same = used.iter().find(|(other, _)| other.is_at_address_of(owner));
        let master = if let Some((_, master)) = same {
            Arc::clone(master)
        } else {
            let new = RedisBackend::of_cluster(&self.options, &owner.host, owner.port)?;
            let new = Arc::new(new);
            used.retain(|(other, _)| other.id != owner.id);
            used.push((Arc::clone(owner), Arc::clone(&new)));
            new
        };
        Ok(Arc::clone(owner.connections.get_or_init(|| master)))
    }

    /// The master at the address of a redirection; `None` where the map has none there.
    pub(super) fn at(&self, host: &str, port: u16) -> Option<Arc<Owner>> {
        let seen = self.seen();
        let mut masters = seen.masters.iter();
        let found =
            masters.find(|owner| owner.port == port && (owner.host == host || owner.ip == host));
        found.cloned()
    }

    /// The first slot of a master.
    pub(super) fn slot_of_owner(&self, owner: &Owner) -> Option<u16> {
        let seen = self.seen();
        let mut parts = (0..GROUPS).flat_map(|group| seen.parts(group));
        let first = parts.find(|part| part.owner.id == owner.id);
        first.map(|part| *part.slots.start())
    }

    /// All masters that own a slot, in a fixed order.
    pub(super) fn owners(&self) -> Vec<Arc<Owner>> {
        let seen = self.seen();
        let groups = 0..GROUPS;
        let mut owners: Vec<_> = groups
            .flat_map(|group| seen.parts(group).iter().map(|part| Arc::clone(&part.owner)))
            .collect();
        owners.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        owners.dedup_by(|one, other| one.id == other.id);
        owners
    }

    /// Waits at the start of the process until the owners are known, but not for ever.
    pub(super) async fn wait(&self) {
        let is_known = || {
            let (seen, now) = (self.seen(), Instant::now());
            (0..GROUPS).all(|group| seen.number(group, now).is_some())
        };
        while !is_known() && self.began.elapsed() < START_WAIT {
            sleep(SHORT_PAUSE).await;
        }
    }

    /// The reason that the listed nodes can never be used.
    pub(super) fn misfit(&self) -> Option<String> {
        let seen = self.seen();
        let mut silent = seen.silent.iter();
        silent.find(|reason| reason.contains(NO_CLUSTER)).cloned()
    }
}

impl Drop for Masters {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Asks until the task ends.
async fn watch(mut voters: Vec<Voter>, seen: Arc<RwLock<Seen>>) {
    loop {
        let (asked, mut agreed) = (Instant::now(), false);
        ask_all(voters.iter_mut().map(Voter::ask), |answers| {
            let mut seen = seen.write().unwrap_or_else(PoisonError::into_inner);
            agreed = seen.note(answers, asked, Instant::now());
        })
        .await;
        if agreed {
            sleep_until((asked + PERIOD).into()).await;
        } else {
            sleep(SHORT_PAUSE).await;
        }
    }
}
