//! Claims: how a reader gets the right to fill a vacant key (the protocol is described in [`super`]).
//!
//! Come here to change when and how a key is claimed. Whether a found value is an answer is decided in `look`, not here.
//!
//! A claim takes one round trip or two:
//!
//! - Two: a look-up, and a claim if the look-up found no value. This is the usual way.
//! - One: [`Claimant::look_and_claim`] sends the look-up and the claim together. The server stores the claim if the key is
//!   absent, and answers with the value if it is present. A policy whose last look-up found no value uses this way, because
//!   many misses follow a miss: after a start, or while a client reads a whole catalogue.
//!
//! An entry with records (of a group or of its resource) always takes two: its claim contains the generations of the
//! records, so the records are read first.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;
use tokio::time::timeout_at;

use super::fill_permit::FillPermit;
use super::look::{Lookup, RecordKey, Records, State};
use super::single_flight::SingleFlights;
use crate::backends::{Found, GetOrCreateResult, Version};
use crate::breaker::Unavailable;
use crate::clock::saturating_milliseconds;
use crate::stored::{
    Belonging, Claim, Entry, GroupRecord, ValueId, stamp, write_claim, write_group_record,
};

/// The longest time that a claim stands, in case no reader fills or deletes it.
pub const CLAIM_LIFETIME: Duration = Duration::from_secs(10);

/// The shortest lifetime of the record of a group or a resource. The lifetime is twice the longest lifetime of an entry
/// where that is longer, because an entry is no answer once its record is absent.
const RECORD_LIFETIME: Duration = Duration::from_hours(24);

/// A record of an entry when the entry's key is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    /// Entries of this policy have no such record.
    NotNeeded,
    /// The record stands, with this generation.
    Generation(u64),
    /// The record was deleted at the same moment, or another value was stored under its key.
    DeletedMeanwhile,
}

/// A look-up that may claim its key.
pub(crate) struct Claimant<'a> {
    pub(crate) lookup: Lookup<'a>,
    /// The single flights of this process on the backend.
    pub(crate) single_flights: &'a Arc<SingleFlights>,
    /// The longest time that the server keeps an entry of this policy. A record outlives every entry that belongs to it.
    pub(crate) longest_lifetime: Duration,
}

impl Claimant<'_> {
    /// Looks, and claims the key if it is absent, in one round trip.
    pub(super) async fn look_and_claim(
        &self,
        generation: u64,
    ) -> Result<Either<FillPermit, State>, Unavailable> {
        let id = ValueId::random();
        // Registered first: a reader that sees the claim finds the single flight.
        let Some(single_flight) = self.single_flights.start(id) else {
            return Ok(Either::Right(self.lookup.look(generation).await?.0));
        };
        let stamp = stamp([], self.lookup.memberships.rights);
        let claim = self.claim_of(id, generation, stamp);
        let standing = self
            .lookup
            .places
            .of_key
            .get_or_create(self.lookup.key.full(), claim, CLAIM_LIFETIME)
            .await?;
        let found = match standing {
            GetOrCreateResult::Created(expected) => {
                return Ok(Either::Left(FillPermit {
                    single_flight,
                    expected,
                    refreshes: false,
                    generation,
                    belonging: Belonging::to(self.lookup.memberships, stamp),
                }));
            }
            GetOrCreateResult::Found(found) => Some(found),
            GetOrCreateResult::Contested => None,
        };
        let records = Records::default();
        Ok(Either::Right(
            self.lookup.state(found, generation, &records).await?,
        ))
    }

    /// Claims a vacant key; `None` where another reader was faster.
    pub(super) async fn claim(
        &self,
        seen: Version,
        generation: u64,
        records: Records,
    ) -> Result<Option<FillPermit>, Unavailable> {
        // Before the claim, since readers that see the claim compare its stamp with the records.
        let stamp = self.begin_records(records).await?;
        let id = ValueId::random();
        // Registered first: a reader that sees the claim finds the single flight.
        let Some(single_flight) = self.single_flights.start(id) else {
            return Ok(None);
        };
        let claim = self.claim_of(id, generation, stamp);
        let claimed = self
            .lookup
            .places
            .of_key
            .compare_and_set(self.lookup.key.full(), &seen, claim, CLAIM_LIFETIME)
            .await?;
        Ok(claimed.map(|expected| FillPermit {
            single_flight,
            expected,
            refreshes: false,
            generation,
            belonging: Belonging::to(self.lookup.memberships, stamp),
        }))
    }

    /// The right to replace an ageing entry, for one request of this process.
    pub(crate) fn refresh(&self, entry: &Entry, version: Version) -> Option<FillPermit> {
        Some(FillPermit {
            single_flight: self.single_flights.start(entry.id)?,
            expected: version,
            refreshes: true,
            generation: entry.metadata.generation,
            belonging: entry.metadata.belonging.clone(),
        })
    }

    /// The answer of the single flight of this process that refreshes this entry. `None` where there is no such single
    /// flight, or where it has no answer when `limit` has passed since its beginning.
    pub(crate) async fn join_refresh(&self, entry: &Entry, limit: Duration) -> Option<Arc<Entry>> {
        let refresh = self.single_flights.find(entry.id)?;
        timeout_at(refresh.started + limit, refresh.join())
            .await
            .unwrap_or_default()
    }

    /// A claim as it is stored.
    fn claim_of(&self, id: ValueId, generation: u64, stamp: u64) -> Bytes {
        write_claim(&Claim {
            id,
            key: self.lookup.key.identity(),
            created: self.lookup.clock.milliseconds(),
            generation,
            stamp,
        })
    }

    /// The stamp for a claim that is made now. Absent records are created. If a record is deleted at the same moment, the
    /// stamp is 0, which matches no record, so the entry never becomes an answer.
    async fn begin_records(&self, records: Records) -> Result<u64, Unavailable> {
        let [resource, group] = self.lookup.records();
        let (resource, group) = tokio::join!(
            self.begin_record(resource, records.resource),
            self.begin_record(group, records.group),
        );
        let begun = [resource?, group?];
        if begun.contains(&Begun::DeletedMeanwhile) {
            return Ok(0);
        }
        let generations = begun.into_iter().filter_map(|begun| match begun {
            Begun::Generation(generation) => Some(generation),
            Begun::NotNeeded | Begun::DeletedMeanwhile => None,
        });
        Ok(stamp(generations, self.lookup.memberships.rights))
    }

    /// Reads a record for a new claim. An absent record is created.
    async fn begin_record(
        &self,
        of: Option<RecordKey<'_>>,
        found: Option<Found>,
    ) -> Result<Begun, Unavailable> {
        let Some(of) = of else {
            return Ok(Begun::NotNeeded);
        };
        if let Some(found) = &found
            && let Some(record) = of.read(found)
        {
            self.prolong(of, found, record).await?;
            return Ok(Begun::Generation(record.generation));
        }
        let RecordKey { key, server } = of;
        let (lifetime, until) = self.record_lifetime();
        let generation: u64 = rand::random();
        let record = write_group_record(key, GroupRecord { generation, until });
        let mut expected = found.map_or(Version::Absent, |found| found.version);
        // Two attempts: the first one may find a value that is not this record, and the second one replaces that value.
        for _ in 0..2 {
            let set = server
                .compare_and_set(key.full(), &expected, record.clone(), lifetime)
                .await?;
            if set.is_some() {
                return Ok(Begun::Generation(generation));
            }
            let Some(found) = server.get_from_server(key.full()).await? else {
                return Ok(Begun::DeletedMeanwhile);
            };
            match of.read(&found) {
                Some(record) => return Ok(Begun::Generation(record.generation)),
                None => expected = found.version,
            }
        }
        Ok(Begun::DeletedMeanwhile)
    }

    /// Writes the record again, with the same generation and a new lifetime, if an entry would outlive it. A record that
    /// was deleted meanwhile stays deleted.
    async fn prolong(
        &self,
        RecordKey { key, server }: RecordKey<'_>,
        found: &Found,
        record: GroupRecord,
    ) -> Result<(), Unavailable> {
        let needed = saturating_milliseconds(self.longest_lifetime);
        if record.until >= self.lookup.clock.milliseconds().saturating_add(needed) {
            return Ok(());
        }
        let (lifetime, until) = self.record_lifetime();
        let record = write_group_record(key, GroupRecord { until, ..record });
        let prolonged = server.compare_and_set(key.full(), &found.version, record, lifetime);
        prolonged.await.map(|_| ())
    }

    /// The lifetime of a record that is written now, and the moment of its end.
    fn record_lifetime(&self) -> (Duration, u64) {
        let lifetime = RECORD_LIFETIME.max(self.longest_lifetime.saturating_mul(2));
        let now = self.lookup.clock.milliseconds();
        let until = now.saturating_add(saturating_milliseconds(lifetime));
        (lifetime, until)
    }
}
