//! The state of the model of an outage: the backend, the database, the instances and the writers.
//!
//! Come here for what a reader that begins now would be given. The steps that change the state are in `outage`.

use crate::filler::Filler;
use crate::ids::{Id, Ids};
use crate::instance::{Availability, Instance};
use crate::writer::Writer;

/// The backend, the database and everybody at work.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct State {
    /// Commits so far.
    pub database: u8,
    /// The newest write that was acknowledged.
    pub acknowledged: u8,
    /// Whether the backend answers.
    pub reachable: bool,
    /// What it holds.
    pub held: Held,
    /// Who it is.
    pub identity: Id,
    /// What it would come back with.
    pub snapshot: Option<Held>,
    /// Whether one of the processes has ended.
    pub ended: bool,
    /// Whether the fault has begun.
    pub broke: bool,
    /// The instances.
    pub instances: [Instance; 2],
    pub writers: [Writer; 3],
}

/// What a backend holds.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Held {
    /// The namespace's generation and the identity recorded with it.
    pub generation: Id,
    pub identity: Id,
    /// Whether the record lists each instance, and a dead one.
    pub listed: [bool; 2],
    pub dead: bool,
    /// What stands under the key.
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

    /// What a request that began now on the instance would be given from the cache: the entry, or
    /// the answer of the flight whose claim it would see.
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
            Filler::Filling(lead, value) if lead.expected == Some(stored.id) => Some(value),
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
