//! What stands under a key, as this look-up sees it: filled, claimed or vacant.
//!
//! Come here when an entry is there but is not used as an answer. Nothing is claimed here.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::single_flight::SingleFlights;
use crate::infrastructure::cache::backends::{Found, Version};
use crate::infrastructure::cache::breaker::{GuardedBackend, Unavailable};
use crate::infrastructure::cache::clock::Clock;
use crate::infrastructure::cache::keys::Key;
use crate::infrastructure::cache::stored::{
    Claim, Entry, GroupStamp, StoredValue, ValueId, decode, decode_answer, read_stamp, read_value,
};

/// Everything that a look-up needs besides the plan.
pub(in crate::infrastructure::cache) struct Lookup<'a> {
    pub(in crate::infrastructure::cache) backend: &'a Arc<GuardedBackend>,
    pub(in crate::infrastructure::cache) single_flights: &'a Arc<SingleFlights>,
    pub(in crate::infrastructure::cache) clock: &'a Clock,
    pub(in crate::infrastructure::cache) collapse_wait: Duration,
    /// Whether what this process keeps of the backend will do.
    pub(in crate::infrastructure::cache) near: bool,
    pub(in crate::infrastructure::cache) key: &'a Key,
    /// The key of the group's record.
    pub(in crate::infrastructure::cache) group: Option<&'a Key>,
    /// Whether the last look-up of this policy by this worker found nothing.
    pub(in crate::infrastructure::cache) found_nothing: &'a Cell<bool>,
}

/// What the look-up found under a key.
pub(in crate::infrastructure::cache) enum State {
    Filled(Arc<Entry>, Version),
    Claimed(Claim),
    Vacant(Version),
}

impl Lookup<'_> {
    /// The entry under the key, if it is a fresh answer and nobody has to be asked for it.
    pub(in crate::infrastructure::cache) fn at_hand(&self) -> Option<Arc<Entry>> {
        if !self.near {
            return None;
        }
        let generation = self.backend.generation();
        let found = self.backend.at_hand(self.key.full())?;
        let group = match self.group {
            None => None,
            Some(key) => read_stamp(key, Some(&self.backend.at_hand(key.full())?)),
        };
        let entry = decode(&found.value)?;
        let is_fresh = entry.metadata.fresh_until() > self.clock.milliseconds();
        // Asked last: whatever was found while the backend was trusted is an answer.
        (self.is_answer(&entry, generation, group.as_ref())
            && is_fresh
            && self.backend.trusts(generation))
        .then_some(entry)
    }

    /// The entry under the key, if it is an answer; claims nothing.
    pub(in crate::infrastructure::cache) async fn peek(
        &self,
    ) -> Result<Option<Arc<Entry>>, Unavailable> {
        let (state, _) = self.look(self.backend.generation()).await?;
        Ok(match state {
            State::Filled(entry, _) if entry.metadata.fresh_until() > self.clock.milliseconds() => {
                Some(entry)
            }
            _ => None,
        })
    }

    /// Whether exactly this entry is still there: it was not invalidated.
    pub(in crate::infrastructure::cache) async fn still_holds(&self, id: ValueId) -> bool {
        matches!(self.look(self.backend.generation()).await, Ok((State::Filled(entry, _), _)) if entry.id == id)
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Unavailable> {
        if self.near {
            self.backend.get(key).await
        } else {
            self.backend.get_from_server(key).await
        }
    }

    /// One round trip: the key and, where there is one, the group's generation.
    pub(in crate::infrastructure::cache) async fn look(
        &self,
        generation: u64,
    ) -> Result<(State, Option<GroupStamp>), Unavailable> {
        let (found, group) = match self.group {
            None => (self.get(self.key.full()).await?, None),
            Some(key) => {
                let (found, group) = tokio::join!(self.get(self.key.full()), self.get(key.full()));
                (found?, read_stamp(key, group?.as_ref()))
            }
        };
        let state = self.state(found, generation, group.as_ref()).await?;
        Ok((state, group))
    }

    /// What that which was found is to this look-up.
    pub(in crate::infrastructure::cache) async fn state(
        &self,
        found: Option<Found>,
        generation: u64,
        group: Option<&GroupStamp>,
    ) -> Result<State, Unavailable> {
        // Asked again: while this waited, the server may have become another, with an old snapshot.
        if !self.backend.trusts(generation) {
            return Err(Unavailable("the backend is not trusted now".to_owned()));
        }
        let Some(Found { value, version }) = found else {
            return Ok(State::Vacant(Version::Absent));
        };
        if let Some(entry) = decode_answer(&value)
            && self.is_answer(&entry, generation, group)
        {
            return Ok(State::Filled(entry, version));
        }
        Ok(match read_value(&value) {
            Some(StoredValue::Claim(claim))
                if claim.generation == generation && self.is_of_group(&claim, group).await? =>
            {
                State::Claimed(claim)
            }
            _ => State::Vacant(version),
        })
    }

    /// Whether a claim is of the group's present generation. A claim that knows of none, or a group
    /// without a record, matches nothing: the group may have ended since. What a near cache has of the
    /// group is not enough to wait for another's answer.
    async fn is_of_group(
        &self,
        claim: &Claim,
        group: Option<&GroupStamp>,
    ) -> Result<bool, Unavailable> {
        let Some(key) = self.group else {
            return Ok(claim.group_generation == 0);
        };
        if group.is_none_or(|group| group.generation != claim.group_generation) {
            return Ok(false);
        }
        if !self.near {
            return Ok(true);
        }
        let group = read_stamp(
            key,
            self.backend.get_from_server(key.full()).await?.as_ref(),
        );
        Ok(group.is_some_and(|group| group.generation == claim.group_generation))
    }

    fn is_answer(&self, entry: &Entry, generation: u64, group: Option<&GroupStamp>) -> bool {
        entry.metadata.generation == generation
            && self.group.is_some() == entry.metadata.group.is_some()
            && entry.metadata.group.as_ref() == group
    }
}
