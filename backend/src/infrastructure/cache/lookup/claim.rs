//! Claims: how a reader gets the right to fill a vacant key (the protocol is told in [`super`]).
//!
//! A claim is a round trip of its own, after the look-up that found nothing. Misses come in rows: after
//! a start, while somebody reads a catalogue from end to end, where few things are read twice. So a
//! look-up that follows one that found nothing brings its claim along: the server looks, and stores the
//! claim where nothing stands. Where something does, the claim is refused and costs little. A claim of a
//! group cannot be brought along, since it says which generation of the group was read before it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;

use super::look::{Lookup, State};
use super::single_flight::SingleFlight;
use crate::infrastructure::cache::backends::{Standing, Version};
use crate::infrastructure::cache::breaker::Unavailable;
use crate::infrastructure::cache::stored::{
    Claim, GroupStamp, ValueId, read_generation, read_stamp, stamp, write_claim,
};

/// How long a claim stands if nobody fills or deletes it.
pub const CLAIM_LIFETIME: Duration = Duration::from_secs(10);

/// How long a group's generation lives; when it is gone, the group's entries are gone.
const GROUP_LIFETIME: Duration = Duration::from_hours(24);

impl Lookup<'_> {
    /// Whether the look-up claims in the same round trip.
    pub(super) fn brings_claim(&self) -> bool {
        self.found_nothing.get() && self.group.is_none()
    }

    /// Looks and, where there is nothing, claims: one round trip.
    pub(super) async fn look_and_claim(
        &self,
        generation: u64,
    ) -> Result<Either<FillPermit, State>, Unavailable> {
        let id = ValueId::random();
        // Registered first: whoever sees the claim finds the single flight.
        let Some(single_flight) = self.single_flights.start(id) else {
            return Ok(Either::Right(self.look(generation).await?.0));
        };
        let claim = self.claim_of(id, generation, None);
        let standing = self
            .backend
            .get_or_create(self.key.full(), claim, CLAIM_LIFETIME)
            .await?;
        let found = match standing {
            Standing::Created(expected) => {
                return Ok(Either::Left(FillPermit {
                    single_flight,
                    expected,
                    refreshes: false,
                    generation,
                    group: None,
                }));
            }
            Standing::Found(found) => Some(found),
            Standing::Contested => None,
        };
        Ok(Either::Right(self.state(found, generation, None).await?))
    }

    /// Claims a vacant key; `None` where another was faster.
    pub(in crate::infrastructure::cache) async fn claim(
        &self,
        seen: Version,
        generation: u64,
        group: Option<GroupStamp>,
    ) -> Result<Option<FillPermit>, Unavailable> {
        // Before the claim, since those who see the claim compare the group's generation with it.
        let group = self.group_stamp(group).await?;
        let id = ValueId::random();
        // Registered first: whoever sees the claim finds the single flight.
        let Some(single_flight) = self.single_flights.start(id) else {
            return Ok(None);
        };
        let claim = self.claim_of(id, generation, group.as_ref());
        let claimed = self
            .backend
            .compare_and_set(self.key.full(), &seen, claim, CLAIM_LIFETIME)
            .await?;
        Ok(claimed.map(|expected| FillPermit {
            single_flight,
            expected,
            refreshes: false,
            generation,
            group,
        }))
    }

    /// A claim as it is stored.
    fn claim_of(&self, id: ValueId, generation: u64, group: Option<&GroupStamp>) -> Bytes {
        write_claim(&Claim {
            id,
            created: self.clock.milliseconds(),
            generation,
            group_generation: group.map_or(0, |group| group.generation),
        })
    }

    /// The group's generation, set where there is none.
    async fn group_stamp(
        &self,
        known: Option<GroupStamp>,
    ) -> Result<Option<GroupStamp>, Unavailable> {
        let (None, Some(key)) = (&known, self.group) else {
            return Ok(known);
        };
        let name = key.group();
        let generation: u64 = rand::random();
        let record = Bytes::from(format!("cache/2 {generation:016x} group {name}\n"));
        let mut expected = Version::Absent;
        // Twice: a record that is not ours is replaced.
        for _ in 0..2 {
            let set = self
                .backend
                .compare_and_set(key.full(), &expected, record.clone(), GROUP_LIFETIME)
                .await?;
            if set.is_some() {
                return Ok(Some(stamp(key, generation)));
            }
            match self.backend.get_from_server(key.full()).await? {
                Some(found) if read_generation(&found).is_none() => expected = found.version,
                found => return Ok(read_stamp(key, found.as_ref())),
            }
        }
        Ok(None)
    }
}

/// The right to fill a key.
pub(in crate::infrastructure::cache) struct FillPermit {
    pub(in crate::infrastructure::cache) single_flight: SingleFlight,
    /// What must still be there when the key is filled.
    pub(in crate::infrastructure::cache) expected: Version,
    /// Whether an entry stands there, rather than a claim.
    pub(in crate::infrastructure::cache) refreshes: bool,
    pub(in crate::infrastructure::cache) generation: u64,
    pub(in crate::infrastructure::cache) group: Option<GroupStamp>,
}
