//! The state of the model of an outage: the backend, the database, the instances and the writers.
//!
//! Come here to see how the answer for a request that begins now is computed. The steps that change the state
//! are in `outage`.

use crate::filler::Filler;
use crate::ids::{Id, Ids};
use crate::instance::{Availability, Instance};
use crate::writer::Writer;

/// The backend, the database, the instances and the writers.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct State {
    /// Commits so far.
    pub database: u8,
    /// The newest acknowledged write.
    pub acknowledged: u8,
    /// Whether the backend answers.
    pub reachable: bool,
    /// The backend's content.
    pub held: Held,
    /// The backend's identity: another one after each restart.
    pub identity: Id,
    /// The content that a restart brings back.
    pub snapshot: Option<Held>,
    /// Whether one of the processes has ended.
    pub ended: bool,
    /// Whether the fault has begun.
    pub broke: bool,
    /// The instances.
    pub instances: [Instance; 2],
    pub writers: [Writer; 3],
}

/// The content of a backend.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Held {
    /// The namespace's generation and the identity recorded with it.
    pub generation: Id,
    pub identity: Id,
    /// Whether the record lists each instance.
    pub listed: [bool; 2],
    /// Whether it lists a killed instance.
    pub dead: bool,
    /// The value under the key.
    pub key: Option<Stored>,
}

/// A claim or an entry.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Stored {
    pub id: Id,
    pub generation: Id,
    /// The entry's value; a claim has none.
    pub value: Option<u8>,
}

impl State {
    /// Whether the instance's next operation succeeds.
    pub fn works(&self, number: usize) -> bool {
        self.reachable && !self.instances[number].broken
    }

    /// The cache's answer for a request that begins now on the instance: the entry, or the answer of the single
    /// flight whose claim the request sees.
    pub fn serves(&self, number: usize) -> Option<u8> {
        let instance = &self.instances[number];
        let trusts = instance.availability == Availability::Ready && instance.leased;
        if !self.works(number) || !trusts {
            return None;
        }
        let stored = self.held.key?;
        if stored.generation != instance.generation {
            return None;
        }
        stored.value.or(match instance.filler {
            Filler::Filling(permit, value) if permit.expected == Some(stored.id) => Some(value),
            _ => None,
        })
    }

    /// Acknowledges the writes that waited for the instance to confirm a generation.
    pub fn acknowledge_distrust(&mut self, confirmed: usize) {
        for writer in &mut self.writers {
            if let Writer::Distrusted(value, awaited) = *writer
                && awaited == confirmed
            {
                self.acknowledged = self.acknowledged.max(value);
                *writer = Writer::Acknowledged;
            }
        }
    }

    /// Whether that answer is older than an acknowledged write.
    pub fn serves_old(&self, number: usize) -> bool {
        self.serves(number)
            .is_some_and(|value| value < self.acknowledged)
    }
}

impl Held {
    fn each_id(&mut self, visit: &mut impl FnMut(&mut Id)) {
        visit(&mut self.generation);
        visit(&mut self.identity);
        if let Some(stored) = &mut self.key {
            visit(&mut stored.id);
            visit(&mut stored.generation);
        }
    }
}

impl Ids for State {
    fn each_id(&mut self, visit: &mut impl FnMut(&mut Id)) {
        self.held.each_id(visit);
        visit(&mut self.identity);
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.each_id(visit);
        }
        for instance in &mut self.instances {
            instance.each_id(visit);
        }
    }
}
