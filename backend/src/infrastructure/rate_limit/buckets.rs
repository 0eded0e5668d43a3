//! The states of callers and addresses, in bounded memory.
//!
//! Come here to change the memory of the limit. `governor` decides with a state. Its own stores grow with every new key
//! until they are purged, so a client with many addresses could fill the memory between two purges. No request is seen
//! here.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use governor::nanos::Nanos;
use governor::state::StateStore;
use hashbrown::HashTable;

/// The most states that are kept: some 4 MiB.
const MAX_STATES: usize = 65_536;
/// Parts with a lock each, so that the workers do not wait for each other.
const PARTS: usize = 64;

/// The client whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The user with this id.
    Caller(i64),
    /// The address, or the network that an address of IPv6 belongs to.
    Network(IpAddr),
}

impl Hash for Key {
    /// Hashes one number: an id, or the part of an address that belongs to one client. Every request pays for this.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(match self {
            Self::Caller(id) => id.cast_unsigned(),
            Self::Network(IpAddr::V4(address)) => address.to_bits().into(),
            Self::Network(IpAddr::V6(address)) => {
                u64::try_from(address.to_bits() >> 64).unwrap_or_default()
            }
        });
    }
}

/// A key, and the time until which its requests have used up its rate.
type State = (Key, Nanos);

/// The states. When a part is full, the half of its states is removed that has the most allowance left. States with
/// their whole allowance are removed first.
#[derive(Debug)]
pub(super) struct Buckets {
    parts: Vec<Mutex<HashTable<State>>>,
    /// Fast, and not made against clients that know its seed. One that does makes the search of a part longer, by
    /// `MAX_STATES / PARTS` states at most.
    hasher: RandomState,
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
        }
    }
}

impl StateStore for Buckets {
    type Key = Key;

    fn measure_and_replace<T, F, E>(&self, key: &Key, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let hash = self.hasher.hash_one(key);
        // The hash table itself uses the lowest and the highest bits.
        let part = usize::try_from(hash >> 32).unwrap_or_default() % PARTS;
        let mut states = self.parts[part]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, state)) = states.find_mut(hash, |(known, _)| known == key) {
            let (outcome, new) = decide(Some(*state))?;
            *state = new;
            return Ok(outcome);
        }
        let (outcome, new) = decide(None)?;
        if states.len() >= MAX_STATES / PARTS {
            forget_half(&mut states);
        }
        states.insert_unique(hash, (*key, new), |(known, _)| self.hasher.hash_one(known));
        Ok(outcome)
    }
}

fn forget_half(states: &mut HashTable<State>) {
    let mut times: Vec<Nanos> = states.iter().map(|(_, time)| *time).collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    states.retain(|(_, time)| *time > *median);
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Buckets {
        fn len(&self) -> usize {
            self.parts
                .iter()
                .map(|part| part.lock().unwrap().len())
                .sum()
        }

        /// Sets a state, and returns the one before.
        fn replace(&self, key: Key, time: u64) -> Option<Nanos> {
            let decide = |known| Ok::<_, ()>((known, Nanos::new(time)));
            self.measure_and_replace(&key, decide).unwrap()
        }
    }

    #[test]
    fn the_number_of_states_is_bounded_and_the_busiest_clients_are_kept() {
        let buckets = Buckets::new();
        let busy = Key::Network([192, 0, 2, 1].into());
        buckets.replace(busy, u64::MAX);
        for id in 0..4 * i64::try_from(MAX_STATES).unwrap() {
            buckets.replace(Key::Caller(id), u64::try_from(id).unwrap());
            assert!(id % 1000 > 0 || buckets.len() <= MAX_STATES);
        }
        assert!((MAX_STATES / 4..=MAX_STATES).contains(&buckets.len()));
        assert_eq!(buckets.replace(busy, 0), Some(Nanos::new(u64::MAX)));
    }

    #[test]
    fn states_that_are_all_alike_do_not_fill_a_part() {
        let buckets = Buckets::new();
        for id in 0..2 * i64::try_from(MAX_STATES).unwrap() {
            buckets.replace(Key::Caller(id), 7);
        }
        assert!(buckets.len() <= MAX_STATES);
    }
}
