//! The state of a key for one look-up: filled, claimed or vacant.
//!
//! Come here when an entry is there but is not used as an answer. Nothing is claimed here.

use std::sync::Arc;

use crate::backends::{Found, Version};
use crate::breaker::{GuardedBackend, Places, Unavailable};
use crate::clock::Clock;
use crate::keys::{Key, Memberships};
use crate::stored::{
    Claim, Entry, GroupRecord, OfAnotherKey, STAMP_OF_NONE, StoredValue, ValueId, decode,
    decode_answer, identity_of_record, parse_group_record, read_value, stamp,
};

/// A look-up of one key: it only reads.
pub(crate) struct Lookup<'a> {
    /// The servers of the key and of its records.
    pub(crate) places: Places<'a>,
    pub(crate) clock: &'a Clock,
    /// Whether a copy in this process (the near cache) may answer.
    pub(crate) near: bool,
    pub(crate) key: &'a Key,
    /// The groups, resources and rights that the entry belongs to.
    pub(crate) memberships: &'a Memberships,
}

/// The state of a key.
pub(crate) enum State {
    Filled(Arc<Entry>, Version),
    Claimed(Claim),
    Vacant(Version),
}

/// The records of the groups and resources that an entry belongs to, as the look-up found them.
#[derive(Default)]
pub(super) struct Records {
    pub(super) resource: Option<Found>,
    pub(super) group: Option<Found>,
}

/// The key of a record, and the server that holds it.
#[derive(Clone, Copy)]
pub(super) struct RecordKey<'a> {
    pub(super) key: &'a Key,
    pub(super) server: &'a Arc<GuardedBackend>,
}

impl RecordKey<'_> {
    /// The record that was found under the key.
    pub(super) fn read(&self, found: &Found) -> Option<GroupRecord> {
        parse_group_record(self.key, found).unwrap_or_else(|OfAnotherKey| {
            self.server.reject_connection(self.key.full());
            None
        })
    }
}

impl<'a> Lookup<'a> {
    /// The entry under the key, if it is a fresh answer at the time `now` of the look-up's clock and is
    /// available without a round trip.
    pub(crate) fn at_hand(&self, now: u64) -> Option<Arc<Entry>> {
        if !self.near {
            return None;
        }
        let generation = self.places.generation();
        let found = self.places.of_key.at_hand(self.key.full())?;
        let [resource, group] = self.records();
        let at_hand = |record: Option<RecordKey<'_>>| {
            record.and_then(|record| record.server.at_hand(record.key.full()))
        };
        let records = Records {
            resource: at_hand(resource),
            group: at_hand(group),
        };
        let stamp = self.stamp(&records);
        let entry = decode(&found.value)?;
        let is_fresh = entry.metadata.fresh_until() > now;
        // Asked last: a value that was found while the backend was trusted is an answer.
        (self.is_answer(&entry, generation, stamp) && is_fresh && self.places.trust(generation))
            .then_some(entry)
    }

    /// The entry under the key, if it is an answer. Claims nothing.
    pub(crate) async fn peek(&self) -> Result<Option<Arc<Entry>>, Unavailable> {
        let (state, _) = self.look(self.places.generation()).await?;
        Ok(match state {
            State::Filled(entry, _) if entry.metadata.fresh_until() > self.clock.milliseconds() => {
                Some(entry)
            }
            _ => None,
        })
    }

    /// Whether exactly this entry still stands under the key, and so was not invalidated.
    pub(crate) async fn still_holds(&self, id: ValueId) -> bool {
        matches!(self.look(self.places.generation()).await, Ok((State::Filled(entry, _), _)) if entry.id == id)
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Unavailable> {
        if self.near {
            self.places.of_key.get(key).await
        } else {
            self.places.of_key.get_from_server(key).await
        }
    }

    /// The keys of the records with their servers, in the order of the stamp.
    pub(super) fn records(&self) -> [Option<RecordKey<'a>>; 2] {
        let [resource, group] = self.memberships.records();
        let [of_resource, of_group] = self.places.of_records();
        let record = |key: Option<&'a Key>, server| key.map(|key| RecordKey { key, server });
        [record(resource, of_resource), record(group, of_group)]
    }

    /// One round trip: the key and the records that the entry belongs to.
    pub(super) async fn look(&self, generation: u64) -> Result<(State, Records), Unavailable> {
        if !self.memberships.have_records() {
            let found = self.get(self.key.full()).await?;
            let state = self.state(found, generation, &Records::default()).await?;
            return Ok((state, Records::default()));
        }
        // Boxed, because a key without records is the usual one, and each hit moves the whole future.
        Box::pin(self.look_with_records(generation)).await
    }

    /// As [`Self::look`], for an entry with records.
    async fn look_with_records(&self, generation: u64) -> Result<(State, Records), Unavailable> {
        let [resource, group] = self.records();
        let (found, resource, group) = tokio::join!(
            self.get(self.key.full()),
            self.get_record(resource, self.near),
            self.get_record(group, self.near),
        );
        let records = Records {
            resource: resource?,
            group: group?,
        };
        let state = self.state(found?, generation, &records).await?;
        Ok((state, records))
    }

    async fn get_record(
        &self,
        record: Option<RecordKey<'_>>,
        near: bool,
    ) -> Result<Option<Found>, Unavailable> {
        match record {
            None => Ok(None),
            Some(RecordKey { key, server }) if near => server.get(key.full()).await,
            Some(RecordKey { key, server }) => server.get_from_server(key.full()).await,
        }
    }

    /// The state that a found value gives to the key.
    pub(super) async fn state(
        &self,
        found: Option<Found>,
        generation: u64,
        records: &Records,
    ) -> Result<State, Unavailable> {
        // Asked again: during the wait, the server may have been replaced by one with an old snapshot.
        if !self.places.trust(generation) {
            return Err(Unavailable("the backend is not trusted now".to_owned()));
        }
        let Some(Found { value, version }) = found else {
            return Ok(State::Vacant(Version::Absent));
        };
        let stamp = self.stamp(records);
        if let Some(entry) = decode_answer(&value) {
            let is_answer = self.is_under_this_key(entry.metadata.key)
                && self.is_answer(&entry, generation, stamp);
            return Ok(if is_answer {
                State::Filled(entry, version)
            } else {
                State::Vacant(version)
            });
        }
        if let Some(StoredValue::Claim(claim)) = read_value(&value) {
            let stands = self.is_under_this_key(claim.key)
                && claim.generation == generation
                && stamp == Some(claim.stamp)
                && Box::pin(self.has_stamp_on_server(claim.stamp)).await?;
            if stands {
                return Ok(State::Claimed(claim));
            }
        } else if let Some(identity) = identity_of_record(&value) {
            self.is_under_this_key(identity);
        }
        Ok(State::Vacant(version))
    }

    /// Whether a value was stored under the key of the look-up (C63). A value of another key is never an
    /// answer.
    fn is_under_this_key(&self, identity: u64) -> bool {
        let is_it = identity == self.key.identity();
        if !is_it {
            self.places.of_key.reject_connection(self.key.full());
        }
        is_it
    }

    /// The stamp of the records and of the caller's rights; `None` where a record is missing. No entry
    /// matches `None`: the group may have ended since.
    fn stamp(&self, records: &Records) -> Option<u64> {
        if self.memberships.are_none() {
            return Some(STAMP_OF_NONE);
        }
        let [resource, group] = self.records();
        let generation = |record: Option<RecordKey<'_>>, found: &Option<Found>| match record {
            None => Some(None),
            Some(record) => Some(Some(record.read(found.as_ref()?)?.generation)),
        };
        let resource = generation(resource, &records.resource)?;
        let group = generation(group, &records.group)?;
        Some(stamp(
            resource.into_iter().chain(group),
            self.memberships.rights,
        ))
    }

    /// Whether a claim's stamp equals that of the server's records. The records of a near cache are too
    /// old to justify a wait for another's answer.
    async fn has_stamp_on_server(&self, stamp: u64) -> Result<bool, Unavailable> {
        if !self.near || !self.memberships.have_records() {
            return Ok(true);
        }
        let [resource, group] = self.records();
        let (resource, group) = tokio::join!(
            self.get_record(resource, false),
            self.get_record(group, false)
        );
        let records = Records {
            resource: resource?,
            group: group?,
        };
        Ok(self.stamp(&records) == Some(stamp))
    }

    fn is_answer(&self, entry: &Entry, generation: u64, stamp: Option<u64>) -> bool {
        let metadata = &entry.metadata;
        metadata.key == self.key.identity()
            && metadata.generation == generation
            && stamp == Some(metadata.belonging.stamp)
    }
}
