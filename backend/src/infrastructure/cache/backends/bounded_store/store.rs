//! A bounded store of bytes in this process, for the values of the memory backend and of the near cache.
//!
//! Come here to change the bound or the locks. Which value is evicted is decided in `shard`.
//!
//! # How it works
//!
//! The keys are spread over [`MAX_SHARDS`] shards, each behind a lock of its own. A reader shares the
//! lock with other readers. A change of a key holds the lock alone from reading the present value to the
//! change, so that [`Store::put_if`] is atomic with respect to every other event of the key, eviction
//! and expiry included: there is no other path to an entry.
//!
//! **The bound** is of all shards together, so that every value that fits the store fits in it, however
//! the keys are spread. The store counts the memory that the allocator hands out, not lengths. Measured
//! with mimalloc and 100 000 values of 500 to 580 bytes under keys such as `item:100001`, each read
//! once: the process grew by 750 to 775 bytes an entry; 745 were counted, 105 more than the 640 that
//! mimalloc has for key and value. With ever new keys at a bound of 64 MiB it kept within 4 % of the
//! bound with values of these sizes, and within 7 % with values of 100 to 3 100 bytes.
//!
//! **Eviction** uses a clock's hand (Corbató, *A paging experiment with the Multics system*, 1968): it
//! goes round the entries in the order in which they came, skips once the entries that were read since
//! its last round, and evicts the others. Reading an entry costs one bit, where a list of the least
//! recently used would have to be put in order, under a lock. SIEVE and S3-FIFO, which are of the same
//! family, keep more of the often-read entries by evicting new ones. Here a new value may be a claim,
//! which must stand until it is filled.
//!
//! **Expired entries** are never given: a reader that finds one removes it, and so does the hand,
//! whether or not it was read. Expired entries without readers must not keep live ones out, so each
//! write looks at [`SEARCHED`] further places of its shard: by the time that a quarter of the store has
//! been written, all have been looked at.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use rapidhash::v3::RapidSecrets;

use super::shard::{Entry, Kept, Shard, content_bytes, hash_of};
use crate::backends::contract::{InProcess, Listing};

/// The most shards, each with a lock. With 16, threads seldom wait for each other.
const MAX_SHARDS: usize = 16;
/// The smallest shard in bytes. A smaller one would not have enough entries for the hand to choose from.
const MIN_SHARD_BYTES: usize = 1 << 20;
/// The number of places that a write searches for expired entries.
const SEARCHED: usize = 4;
/// The number of places of a shard that a list looks at under one lock, and in one call.
const LISTED_AT_ONCE: usize = 100;
const LOOKED_AT: usize = 10_000;
/// The most bytes that the tables and places of a store with one entry take.
const TABLE_BYTES: usize = 1024;

/// Values under keys, each with a number and an expiry.
#[derive(Debug)]
pub(in crate::backends) struct Store {
    shards: Vec<Aligned>,
    max_bytes: usize,
    bytes: AtomicUsize,
    /// The shard that evicts next.
    turn: AtomicUsize,
    secrets: RapidSecrets,
    start: Instant,
}

/// Locks that share no cache line, so that taking one does not slow down the other.
#[derive(Debug)]
#[repr(align(128))]
struct Aligned(RwLock<Shard>);

impl Store {
    /// An empty store of at most `max_bytes` bytes.
    pub(in crate::backends) fn new(max_bytes: u64) -> Self {
        let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let secrets = RapidSecrets::seed(rand::random());
        let shards = (max_bytes / MIN_SHARD_BYTES).clamp(1, MAX_SHARDS);
        Self {
            shards: (0..shards)
                .map(|_| Aligned(RwLock::new(Shard::new(secrets))))
                .collect(),
            max_bytes,
            bytes: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            secrets,
            start: Instant::now(),
        }
    }

    /// Whether the value fits when all others are evicted.
    pub(in crate::backends) fn fits(&self, key: &str, value: &[u8]) -> bool {
        content_bytes(key.len() + value.len()) + TABLE_BYTES <= self.max_bytes
    }

    /// The value under the key.
    pub(in crate::backends) fn get(&self, key: &str) -> Option<Kept> {
        let hash = hash_of(&self.secrets, key.as_bytes());
        let own = self.shard_of(hash);
        let now = self.now();
        let (kept, has_expired) = self.look(own, |shard| match shard.find(hash, key) {
            Some(entry) if entry.has_expired(now) => (None, true),
            Some(entry) => (Some(entry.read()), false),
            None => (None, false),
        });
        if has_expired {
            self.change(own, |shard| {
                // The entry is looked up again, because it may have been replaced between the two locks.
                if shard
                    .find(hash, key)
                    .is_some_and(|entry| entry.has_expired(now))
                {
                    shard.remove(hash, key);
                }
            });
        }
        kept
    }

    /// Puts a copy of the value under the key if the condition holds for the number of the present value (`None` for an
    /// absent key). Returns whether it was put. The key does not change between the check and the change. The condition
    /// must not use the store, which is locked.
    pub(in crate::backends) fn put_if(
        &self,
        key: &str,
        value: &[u8],
        stamp: u64,
        lifetime: Duration,
        condition: impl FnOnce(Option<u64>) -> bool,
    ) -> bool {
        let now = self.now();
        let expires = now.saturating_add(u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX));
        let Some(entry) = Entry::copy(key, value, stamp, expires) else {
            return false;
        };
        let hash = hash_of(&self.secrets, key.as_bytes());
        let own = self.shard_of(hash);
        let place = self.change(own, |shard| {
            let standing = shard
                .find(hash, key)
                .filter(|entry| !entry.has_expired(now));
            if !condition(standing.map(|entry| entry.stamp)) {
                return None;
            }
            let place = shard.put(hash, entry, key);
            shard.remove_expired(SEARCHED, now);
            Some(place)
        });
        if let Some(place) = place {
            self.make_room(own, place, now);
        }
        place.is_some()
    }

    /// Removes the value under the key.
    pub(in crate::backends) fn remove(&self, key: &str) {
        let hash = hash_of(&self.secrets, key.as_bytes());
        self.change(self.shard_of(hash), |shard| shard.remove(hash, key));
    }

    /// Removes all values with matching keys that were put before the call. Returns their number.
    pub(in crate::backends) fn remove_where(&self, is_wanted: impl Fn(&str) -> bool) -> u64 {
        let shards = 0..self.shards.len();
        let removed =
            shards.map(|index| self.change(index, |shard| shard.remove_where(&is_wanted)));
        removed.sum::<usize>() as u64
    }

    /// A part of the values whose keys begin with the prefix. The number of places that are looked at is bounded. See
    /// [`CacheBackend::list`](crate::backends::CacheBackend::list): the cursor is a shard and a
    /// place in it.
    pub(in crate::backends) fn list(&self, prefix: &str, cursor: u64, limit: usize) -> Listing {
        let now = self.now();
        let half = |bits: u64| usize::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
        let (mut index, mut place) = (half(cursor >> 32), half(cursor));
        let mut part = Listing::default();
        let mut looked_at = 0;
        while index < self.shards.len() {
            if part.values.len() >= limit || looked_at >= LOOKED_AT {
                part.next = (index as u64) << 32 | place as u64;
                return part;
            }
            let until = place + LISTED_AT_ONCE;
            let (found, is_last) = self.look(index, |shard| shard.list(place..until, prefix, now));
            part.values.extend(found);
            looked_at += LISTED_AT_ONCE;
            (index, place) = if is_last {
                (index + 1, 0)
            } else {
                (index, until)
            };
        }
        part
    }

    /// Removes all values, and returns their memory to the allocator.
    pub(in crate::backends) fn clear(&self) {
        for index in 0..self.shards.len() {
            let empty = Shard::new(self.secrets);
            // The memory is freed after the lock is released.
            drop(self.change(index, |shard| std::mem::replace(shard, empty)));
        }
    }

    /// The number of values and their memory, under the store's name.
    pub(in crate::backends) fn in_process(&self, store: &'static str) -> InProcess {
        InProcess {
            store,
            entries: (0..self.shards.len())
                .map(|index| self.look(index, Shard::len))
                .sum(),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Evicts entries until the bound holds, but not the entry that has just been put in this place.
    fn make_room(&self, own: usize, place: usize, now: u64) {
        let mut in_vain = 0;
        // Two rounds, because the hand skips an entry that was read once.
        while self.bytes.load(Ordering::Relaxed) > self.max_bytes && in_vain < 2 * self.shards.len()
        {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.shards.len();
            // The shard with more entries evicts, so that all stay about equally full.
            let own_entries = self.look(own, Shard::len);
            let is_fuller = own_entries > self.look(turn, Shard::len);
            let shard = if is_fuller { own } else { turn };
            let spared = (shard == own).then_some(place);
            if self.change(shard, |shard| shard.evict(spared, now)) {
                in_vain = 0;
            } else {
                in_vain += 1;
            }
        }
    }

    /// Runs a change under the shard's lock, and counts the bytes that it added or removed.
    fn change<T>(&self, index: usize, change: impl FnOnce(&mut Shard) -> T) -> T {
        let mut shard = self.shards[index]
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let before = shard.bytes();
        let result = change(&mut shard);
        // The difference wraps round when it is negative, and so does the sum.
        let difference = shard.bytes().wrapping_sub(before);
        self.bytes.fetch_add(difference, Ordering::Relaxed);
        result
    }

    /// Runs a look under the shard's lock. No lock is ever held while another is taken, so there is no
    /// deadlock.
    fn look<T>(&self, index: usize, look: impl FnOnce(&Shard) -> T) -> T {
        let shard = self.shards[index].0.read();
        look(&shard.unwrap_or_else(PoisonError::into_inner))
    }

    /// Chosen by bits of the hash that the shard's table does not use.
    fn shard_of(&self, hash: u64) -> usize {
        usize::try_from(hash >> 32).unwrap_or_default() % self.shards.len()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
