//! Instances with different lists of servers (C61).
//!
//! Come here to see why an instance that looks for a key on another server than the writer deletes it from is
//! never stale. That is so in a rolling deployment that adds or removes a server.
//!
//! # The rule
//!
//! The record of each server names the list under which its generation began, and the list of each instance. An
//! instance that reads of another list in any record holds *a pending deletion of everything on each of its own
//! servers*, from before it answers that record. While any record that it reads names another list, and for one
//! grace longer, it trusts no server. An instance that starts and meets another list serves nothing, and writes
//! nothing, for one grace.
//!
//! # Why nothing is stale
//!
//! Take an entry of key K that instance I stored on server N, and a later write to K by instance J, which looks for
//! K on another server. Their lists differ. Let M be a server in both lists that both reach.
//!
//! 1. J has written its list into M's record one grace before its first write. A lease of I, on any server, begins
//!    when I had asked every server ([`ServerList::lease`]), and is no longer than the grace. So before that write I has
//!    read J's list in M's record, or its lease on N has ended. In the second case I was frozen, and reads M's record before the
//!    next lease begins. It names J's list even if J has left meanwhile: J has begun a generation there. If an instance
//!    of I's list has begun a later one, that instance had met J and ended N's generation too.
//! 2. From then on I holds a pending deletion of everything on N. By C35 and C58 no instance trusts an entry of
//!    N from before, whether I delivers it, dies or cannot reach N: the generation ends.
//! 3. I trusts N again when no record has named another list for one grace. Then J has left M's record and writes no more,
//!    or it was frozen and has been removed. In the second case it has asked no server within a lease. Its next write is
//!    acknowledged after it has asked them again, and if it met another list, one grace later (`Servers::invalidate`).
//!
//! A list that was used in between, while no instance of the present one ran, is recognised in the same way: M's
//! generation began under another list.
//!
//! # No promise
//!
//! Two lists without a common server that both instances reach are two caches that do not know of each other. A
//! server that was removed from the list keeps its memory: it must be restarted before it is added again, if every
//! server that was used in between has lost its memory or cannot be reached.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::told::Told;
use crate::backends::Distribution;
use crate::stored::NamespaceRecord;

/// The list of servers of this process, and what it knows of other lists.
pub(super) struct ServerList {
    fingerprint: u64,
    /// Whether no instance can have another list: the groups of slots of a Redis Cluster are fixed.
    is_fixed: bool,
    origin: Instant,
    /// The end of the distrust because of another list, in nanoseconds since `origin`; 0 before the first one.
    distrusted_until: AtomicU64,
    /// The longest grace of an instance in a record that named another list, in nanoseconds.
    longest_grace: AtomicU64,
    /// When each server was asked last for its record, in nanoseconds since `origin`; 0 before.
    asked: Vec<AtomicU64>,
    /// When a server was asked again after a pause longer than a lease, in nanoseconds since `origin`: this process was frozen
    /// or has just started, and instances with another list may have removed it from the records.
    resumed: AtomicU64,
    /// For each server, the servers that by its record may lack deletions of another instance: one bit for each place.
    lacking: Vec<AtomicU64>,
    /// What this instance has told the others of servers that may lack its deletions.
    pub(super) told: Told,
    servers: OnceLock<Box<dyn ListedServers>>,
}

/// The servers of a list, as the list uses them.
pub(super) trait ListedServers: Send + Sync {
    /// Distrusts everything on every server.
    fn distrust_everything(&self);

    /// Takes servers out of use until they are known to have every deletion.
    fn doubt(&self, places: u64);

    /// The servers that may lack deletions of this instance.
    fn lacking(&self) -> u64;
}

impl ServerList {
    pub(super) fn new(distribution: &Distribution) -> Self {
        Self {
            fingerprint: distribution.fingerprint(),
            is_fixed: distribution.is_fixed(),
            origin: Instant::now(),
            distrusted_until: AtomicU64::new(0),
            longest_grace: AtomicU64::new(0),
            asked: (0..distribution.len()).map(|_| AtomicU64::new(0)).collect(),
            resumed: AtomicU64::new(0),
            lacking: (0..distribution.len()).map(|_| AtomicU64::new(0)).collect(),
            told: Told::nothing(distribution.len()),
            servers: OnceLock::new(),
        }
    }

    /// Sets the servers of the list. A second call changes nothing.
    pub(super) fn attach(&self, servers: impl ListedServers + 'static) {
        let _ = self.servers.set(Box::new(servers));
    }

    /// The number that stands for this list in records.
    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Examines a record that was read. Where it names another list, distrusts everything on every server, unless
    /// that has been done already. Returns whether it was done now.
    pub(super) fn examine(&self, record: &NamespaceRecord, own_grace: Duration) -> bool {
        if !record.names_other_list(self.fingerprint) {
            return false;
        }
        let graces = record.members.iter().map(|member| member.grace);
        let grace = nanoseconds(graces.fold(own_grace, Duration::max));
        self.longest_grace.fetch_max(grace, Ordering::AcqRel);
        let now = self.nanoseconds(Instant::now());
        let until = now.saturating_add(grace);
        let before = self.distrusted_until.fetch_max(until, Ordering::AcqRel);
        if before > now {
            return false;
        }
        tracing::warn!(
            "an instance uses another list of cache servers than this one: nothing is served from the cache until all use the same"
        );
        if let Some(servers) = self.servers.get() {
            servers.distrust_everything();
        }
        true
    }

    /// Examines a record that was read from the server at a place: takes those servers out of use that may lack deletions of
    /// another instance. `own` is this instance's id.
    pub(super) fn examine_lacking(&self, place: usize, record: &NamespaceRecord, own: u64) {
        let Some(known) = self.lacking.get(place) else {
            return;
        };
        let lacking = record.lacking(own);
        let new = lacking & !known.swap(lacking, Ordering::AcqRel);
        if new != 0
            && let Some(servers) = self.servers.get()
        {
            servers.doubt(new);
        }
    }

    /// Whether the server at a place may lack deletions of another instance, by the records of the others.
    pub(super) fn is_lacking(&self, place: usize) -> bool {
        let mut all = self.lacking.iter();
        all.any(|lacking| lacking.load(Ordering::Acquire) >> place & 1 == 1)
    }

    /// Whether by the record of the server at a place, another instance cannot reach a server that this one reaches.
    pub(super) fn has_cut_off_instance(&self, place: usize) -> bool {
        let lacking = self.lacking.get(place);
        lacking.is_some_and(|lacking| {
            lacking.load(Ordering::Acquire) & !self.lacking_besides(place) != 0
        })
    }

    /// The servers, besides the one at a place, that may lack deletions of this instance.
    pub(super) fn lacking_besides(&self, place: usize) -> u64 {
        let lacking = self.servers.get().map_or(0, |servers| servers.lacking());
        lacking & !(1 << place)
    }

    /// Whether each server was asked within this time, or need not be asked.
    pub(super) fn was_asked_within(&self, time: Duration) -> bool {
        if self.is_fixed {
            return true;
        }
        let all = self.asked.iter().map(|asked| asked.load(Ordering::Acquire));
        let now = self.nanoseconds(Instant::now());
        let earliest = all.min().unwrap_or(0);
        now.saturating_sub(earliest) <= nanoseconds(time)
    }

    /// Notes that a server was asked for its record at that time, and is known to be unavailable. Its record counts no more:
    /// those of the other servers say the same.
    pub(super) fn note_unavailable(&self, place: usize, asked: Instant, lease: Duration) {
        if let Some(lacking) = self.lacking.get(place) {
            lacking.store(0, Ordering::Release);
        }
        self.note_asked(place, asked, lease);
    }

    /// Whether no record has named another list for one grace.
    pub(super) fn is_agreed(&self) -> bool {
        self.nanoseconds(Instant::now()) >= self.distrusted_until.load(Ordering::Acquire)
    }

    /// The time at which every instance with another list has read the records that this one wrote after its start, or after it
    /// was frozen.
    pub(super) fn noticed_at(&self) -> Instant {
        let resumed = self.resumed.load(Ordering::Acquire);
        let time_to_be_noticed = self.longest_grace.load(Ordering::Acquire);
        self.origin + Duration::from_nanos(resumed.saturating_add(time_to_be_noticed))
    }

    /// Notes a question to a server, after the visit has written this instance into its record.
    fn note_asked(&self, place: usize, asked: Instant, lease: Duration) {
        if let Some(last) = self.asked.get(place) {
            let asked = self.nanoseconds(asked).max(1);
            let before = last.fetch_max(asked, Ordering::AcqRel);
            if before == 0 || asked.saturating_sub(before) > nanoseconds(lease) {
                let now = self.nanoseconds(Instant::now());
                self.resumed.fetch_max(now, Ordering::AcqRel);
            }
        }
    }

    /// The beginning and the length of the lease of a server that was asked at that time: it begins when every server
    /// had been asked, and has no length before each was. In a fixed list no record of another server matters.
    pub(super) fn lease(
        &self,
        place: usize,
        asked: Instant,
        lease: Duration,
    ) -> (Instant, Duration) {
        if self.is_fixed {
            return (asked, lease);
        }
        self.note_asked(place, asked, lease);
        let all = self.asked.iter().map(|asked| asked.load(Ordering::Acquire));
        match all.min() {
            None | Some(0) => (asked, Duration::ZERO),
            Some(earliest) => {
                let earliest = self.origin + Duration::from_nanos(earliest);
                (asked.min(earliest), lease)
            }
        }
    }

    fn nanoseconds(&self, time: Instant) -> u64 {
        nanoseconds(time.saturating_duration_since(self.origin))
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
