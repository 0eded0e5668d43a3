//! A part of the store: a table from keys to places, and a clock's hand that goes round the places to
//! find a value to evict.
//!
//! Come here to change the choice of the evicted value. Locks and the bound are in `store`.

use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hashbrown::HashTable;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use crate::backends::contract::LISTED_BYTES;

/// The bytes that `Bytes` allocates when it is shared for the first time.
const SHARED_BYTES: usize = 32;
/// When all places are taken, one eighth of their number is added. Doubling would leave half of the places empty.
const GROWTH: usize = 8;

/// A value in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backends) struct Kept {
    /// The value.
    pub(in crate::backends) value: Bytes,
    /// The number that came with the value.
    pub(in crate::backends) stamp: u64,
}

/// A value under its key, in one allocation.
#[derive(Debug)]
pub(super) struct Entry {
    /// The bytes of the key, then those of the value.
    content: Bytes,
    key_bytes: u32,
    pub(super) stamp: u64,
    /// The end of its lifetime: milliseconds since the store was made.
    expires: u64,
    /// Whether it was read since the hand last passed it.
    was_read: AtomicBool,
}

impl Entry {
    /// An entry with a copy of the value. The value may be a slice of a larger buffer, and without the copy that buffer
    /// would stay in memory. `None` where the key is too long.
    pub(super) fn copy(key: &str, value: &[u8], stamp: u64, expires: u64) -> Option<Self> {
        Some(Self {
            key_bytes: u32::try_from(key.len()).ok()?,
            content: Bytes::from([key.as_bytes(), value].concat()),
            stamp,
            expires,
            was_read: AtomicBool::new(false),
        })
    }

    /// The value for a reader. The entry records that it was read.
    pub(super) fn read(&self) -> Kept {
        // Mostly it is set already, and then the cache line stays shared between processors.
        if !self.was_read.load(Ordering::Relaxed) {
            self.was_read.store(true, Ordering::Relaxed);
        }
        Kept {
            value: self.content.slice(self.key_bytes as usize..),
            stamp: self.stamp,
        }
    }

    pub(super) fn has_expired(&self, now: u64) -> bool {
        self.expires <= now
    }

    fn key(&self) -> &[u8] {
        &self.content[..self.key_bytes as usize]
    }

    fn bytes(&self) -> usize {
        content_bytes(self.content.len())
    }
}

/// The bytes that an entry's key and value take, rounded up as the allocator does: mimalloc has four
/// sizes from one power of two to the next.
pub(super) fn content_bytes(length: usize) -> usize {
    let quarter = 1 << length.max(64).saturating_sub(1).ilog2().saturating_sub(2);
    length.next_multiple_of(quarter) + SHARED_BYTES
}

#[derive(Debug)]
enum Place {
    Taken(Entry),
    /// A free place, with the index of the next free one.
    Free(Option<usize>),
}

/// Entries under one lock. New entries take the places that the hand has just passed, so that it reaches
/// them last.
#[derive(Debug)]
pub(super) struct Shard {
    secrets: RapidSecrets,
    table: HashTable<usize>,
    places: Vec<Place>,
    free: Option<usize>,
    hand: usize,
    /// The place where the search for expired entries continues.
    searched: usize,
    content_bytes: usize,
}

impl Shard {
    pub(super) fn new(secrets: RapidSecrets) -> Self {
        Self {
            secrets,
            table: HashTable::new(),
            places: Vec::new(),
            free: None,
            hand: 0,
            searched: 0,
            content_bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The bytes that the shard takes of the machine's memory.
    pub(super) fn bytes(&self) -> usize {
        self.content_bytes
            + self.places.capacity() * size_of::<Place>()
            + self.table.allocation_size()
    }

    pub(super) fn find(&self, hash: u64, key: &str) -> Option<&Entry> {
        self.entry(self.locate(hash, key)?)
    }

    /// Puts the entry in the place of its key, or in a free place. Returns the place.
    pub(super) fn put(&mut self, hash: u64, mut entry: Entry, key: &str) -> usize {
        self.content_bytes += entry.bytes();
        if let Some(place) = self.locate(hash, key) {
            // Writing does not count as reading: an entry that is filled and never read is evicted soon.
            if let Some(replaced) = self.entry(place) {
                entry.was_read = AtomicBool::new(replaced.was_read.load(Ordering::Relaxed));
                self.content_bytes -= replaced.bytes();
            }
            self.places[place] = Place::Taken(entry);
            return place;
        }
        let place = if let Some(place) = self.free {
            let taken = mem::replace(&mut self.places[place], Place::Taken(entry));
            self.free = match taken {
                Place::Free(next) => next,
                Place::Taken(_) => None,
            };
            place
        } else {
            if self.places.len() == self.places.capacity() {
                self.places.reserve_exact(self.places.len() / GROWTH + 1);
            }
            self.places.push(Place::Taken(entry));
            self.places.len() - 1
        };
        let (secrets, places) = (&self.secrets, &self.places);
        self.table
            .insert_unique(hash, place, |place| match &places[*place] {
                Place::Taken(entry) => hash_of(secrets, entry.key()),
                Place::Free(_) => 0,
            });
        place
    }

    /// Removes the entry of the key. Returns whether there was one.
    pub(super) fn remove(&mut self, hash: u64, key: &str) -> bool {
        let place = self.locate(hash, key);
        place.is_some_and(|place| self.vacate(place))
    }

    /// Removes the entries with matching keys. Returns their number.
    pub(super) fn remove_where(&mut self, is_wanted: impl Fn(&str) -> bool) -> usize {
        let mut removed = 0;
        for place in 0..self.places.len() {
            let is_wanted = self
                .entry(place)
                .is_some_and(|entry| std::str::from_utf8(entry.key()).is_ok_and(&is_wanted));
            removed += usize::from(is_wanted && self.vacate(place));
        }
        removed
    }

    /// The keys with the prefix in these places, each with the first bytes of its value, and whether no place follows.
    pub(super) fn list(
        &self,
        places: Range<usize>,
        prefix: &str,
        now: u64,
    ) -> (Vec<(String, Bytes)>, bool) {
        let is_last = places.end >= self.places.len();
        let entries = places.filter_map(|place| self.entry(place));
        let wanted = entries
            .filter(|entry| entry.key().starts_with(prefix.as_bytes()) && !entry.has_expired(now));
        let listed = wanted.filter_map(|entry| {
            let key = std::str::from_utf8(entry.key()).ok()?.to_owned();
            let value = &entry.content[entry.key_bytes as usize..];
            let head = &value[..value.len().min(LISTED_BYTES)];
            Some((key, Bytes::copy_from_slice(head)))
        });
        (listed.collect(), is_last)
    }

    /// Moves the hand until an entry is evicted, for one round at most. The entry in the place `spared` is skipped, and
    /// so are entries that were read since the last round. Returns whether an entry was evicted.
    pub(super) fn evict(&mut self, spared: Option<usize>, now: u64) -> bool {
        for _ in 0..self.places.len() {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.places.len();
            if let Place::Taken(entry) = &mut self.places[place]
                && spared != Some(place)
            {
                let was_read = mem::take(entry.was_read.get_mut());
                if !was_read || entry.has_expired(now) {
                    self.vacate(place);
                    if self.table.is_empty() {
                        // Returns the memory of the places.
                        *self = Self::new(self.secrets);
                    }
                    return true;
                }
            }
        }
        false
    }

    /// Looks at the next `places` places and removes the expired entries there.
    pub(super) fn remove_expired(&mut self, places: usize, now: u64) {
        for _ in 0..places.min(self.places.len()) {
            self.searched = (self.searched + 1) % self.places.len();
            if self
                .entry(self.searched)
                .is_some_and(|entry| entry.has_expired(now))
            {
                self.vacate(self.searched);
            }
        }
    }

    fn locate(&self, hash: u64, key: &str) -> Option<usize> {
        let is_it = |place: &usize| {
            self.entry(*place)
                .is_some_and(|entry| entry.key() == key.as_bytes())
        };
        self.table.find(hash, is_it).copied()
    }

    fn entry(&self, place: usize) -> Option<&Entry> {
        match self.places.get(place) {
            Some(Place::Taken(entry)) => Some(entry),
            _ => None,
        }
    }

    fn vacate(&mut self, place: usize) -> bool {
        let Some(entry) = self.entry(place) else {
            return false;
        };
        let (hash, bytes) = (hash_of(&self.secrets, entry.key()), entry.bytes());
        if let Ok(found) = self.table.find_entry(hash, |found| *found == place) {
            found.remove();
        }
        self.places[place] = Place::Free(self.free.replace(place));
        self.content_bytes -= bytes;
        true
    }
}

/// The hash of a key. Nobody can choose keys that collide, since the secrets are drawn at random. The standard library's hash
/// takes several times as long.
pub(super) fn hash_of(secrets: &RapidSecrets, key: &[u8]) -> u64 {
    rapidhash_v3_seeded(key, secrets)
}
