//! A part of the store: a table from keys to places, and a clock's hand that goes round the places to
//! find what may be let go of.

use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hashbrown::HashTable;

/// What `Bytes` sets aside when it is shared for the first time.
const SHARED_BYTES: usize = 32;
/// One place in so many is spare when the places run out; doubling them would leave half of them empty.
const GROWTH: usize = 8;

/// What the store holds under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::infrastructure::cache::backends) struct Kept {
    /// The value.
    pub(in crate::infrastructure::cache::backends) value: Bytes,
    /// The number that the value was put with.
    pub(in crate::infrastructure::cache::backends) stamp: u64,
}

/// A value under its key, in one allocation.
#[derive(Debug)]
pub(super) struct Entry {
    /// The key, then the value.
    content: Bytes,
    key_bytes: u32,
    pub(super) stamp: u64,
    /// When it expires: milliseconds since the store was made.
    expires: u64,
    /// Whether it was read since the hand last passed.
    was_read: AtomicBool,
}

impl Entry {
    /// A copy, since the value may be a part of something larger that is then kept too; `None` where the
    /// key is too long to be one.
    pub(super) fn copy(key: &str, value: &[u8], stamp: u64, expires: u64) -> Option<Self> {
        Some(Self {
            key_bytes: u32::try_from(key.len()).ok()?,
            content: Bytes::from([key.as_bytes(), value].concat()),
            stamp,
            expires,
            was_read: AtomicBool::new(false),
        })
    }

    /// What is given to a reader; the entry remembers that it was read.
    pub(super) fn read(&self) -> Kept {
        // Most often it is known already, and then the cache line stays shared between processors.
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

/// What the key and value of an entry take, with what the allocator rounds up: mimalloc has four sizes
/// from one power of two to the next.
pub(super) fn content_bytes(length: usize) -> usize {
    let quarter = 1 << length.max(64).saturating_sub(1).ilog2().saturating_sub(2);
    length.next_multiple_of(quarter) + SHARED_BYTES
}

#[derive(Debug)]
enum Place {
    Taken(Entry),
    /// With the next free one.
    Free(Option<usize>),
}

/// Entries under one lock. New ones take the places that the hand has just passed, so that it comes to
/// them last.
#[derive(Debug, Default)]
pub(super) struct Shard {
    hasher: RandomState,
    table: HashTable<usize>,
    places: Vec<Place>,
    free: Option<usize>,
    hand: usize,
    /// Where the search for expired entries goes on.
    searched: usize,
    content_bytes: usize,
}

impl Shard {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            hasher,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// What the shard takes of the machine's memory.
    pub(super) fn bytes(&self) -> usize {
        self.content_bytes
            + self.places.capacity() * size_of::<Place>()
            + self.table.allocation_size()
    }

    pub(super) fn find(&self, hash: u64, key: &str) -> Option<&Entry> {
        self.entry(self.locate(hash, key)?)
    }

    /// Puts the entry where its key is, or in a free place; answers the place.
    pub(super) fn put(&mut self, hash: u64, mut entry: Entry, key: &str) -> usize {
        self.content_bytes += entry.bytes();
        if let Some(place) = self.locate(hash, key) {
            // To be written is not to be read: what is filled and never asked for again goes soon.
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
        let (hasher, places) = (&self.hasher, &self.places);
        self.table
            .insert_unique(hash, place, |place| match &places[*place] {
                Place::Taken(entry) => hash_of(hasher, entry.key()),
                Place::Free(_) => 0,
            });
        place
    }

    /// Whether there was such an entry.
    pub(super) fn remove(&mut self, hash: u64, key: &str) -> bool {
        let place = self.locate(hash, key);
        place.is_some_and(|place| self.vacate(place))
    }

    /// Removes the entries whose key is wanted, and answers how many there were.
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

    /// Goes round until there is something to let go of, once at most; the entry in the place `spared` is
    /// passed by, and so is what was read since the last time.
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
                        // Gives the memory of the places back.
                        *self = Self::new(self.hasher.clone());
                    }
                    return true;
                }
            }
        }
        false
    }

    /// Looks at so many further places and removes what has expired there.
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
        let (hash, bytes) = (hash_of(&self.hasher, entry.key()), entry.bytes());
        if let Ok(found) = self.table.find_entry(hash, |found| *found == place) {
            found.remove();
        }
        self.places[place] = Place::Free(self.free.replace(place));
        self.content_bytes -= bytes;
        true
    }
}

pub(super) fn hash_of(hasher: &RandomState, key: &[u8]) -> u64 {
    hasher.hash_one(key)
}
