//! The look-up: what a read finds, and whether it may fill the key.
//!
//! # The protocol
//!
//! A key is in one of three states:
//!
//! | state | who gets it there | who may leave it |
//! |---|---|---|
//! | *vacant*: nothing, or a value that is no answer (foreign, damaged, of an old generation, of an old group generation, expired) | expiry, a deletion, a new generation | one reader, by compare-and-set, to *claimed* |
//! | *claimed* by an id, for [`CLAIM_LIFETIME`] at most | a reader that found it vacant | the claim's holder, by compare-and-set of exactly this claim, to *filled*; a deletion or expiry, to *vacant* |
//! | *filled* with an entry of that id | the claim's holder | a deletion or expiry, to *vacant*; a refresher, by compare-and-set of exactly this entry, to *filled* |
//!
//! **No old value is ever stored.** A reader claims, then reads the database, then fills; a writer
//! commits, then deletes. If the reader saw the database from before the commit, its claim is from
//! before the deletion, so the deletion (or whatever came before it: another's, `redis-cli DEL`, expiry)
//! ended the claim, and the compare-and-set of a claim that does not stand does nothing. Ids are
//! random and never used again, so no later claim is mistaken for an earlier one. The same holds for
//! a refresher with the entry it saw in place of the claim. For a group and for the namespace the
//! *generation* is read before the database and stored with the claim and the entry; an invalidation
//! ends the generation, so the entry, if it is stored at all, is not an answer to anybody, and
//! nobody waits for the claim.
//!
//! **What a crash leaves behind.** A reader that dies leaves a claim, which expires. While it
//! stands, others wait for it until `CACHE_COLLAPSE_WAIT_MS` after it was made and then run their
//! handlers without storing. A writer that dies between its commit and its deletion leaves the entry
//! until it expires: closing that gap takes the database, and is not done here.
//!
//! **What is not promised.** A handler that takes longer than [`CLAIM_LIFETIME`] is never stored. An
//! instance that alone is cut off from a backend that the others still reach cannot tell them what
//! it wrote until it is back. Clocks are used for expiry and for how long to wait, never for whether
//! an entry is from before a write.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::Either;
use tokio::time::{Instant, sleep, timeout};

use super::backends::{Found, Version};
use super::clock::Clock;
use super::decoded::{decode, decode_answer};
use super::entry::{Claim, Entry, GroupStamp, StoredValue, ValueId, read_value};
use super::flight::{Flight, Flights, join};
use super::guard::{BackendGuard, Unavailable};
use super::key::Key;

/// How long a claim stands if nobody fills or deletes it.
pub const CLAIM_LIFETIME: Duration = Duration::from_secs(10);
/// How often a waiting request asks for another instance's answer: at first, and at most.
const POLL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(25));
/// How often a lost race for the claim is run again before the request goes on without storing.
const ATTEMPTS: u32 = 4;

/// Everything that a look-up needs besides the plan.
pub(super) struct Lookup<'a> {
    pub(super) guard: &'a Arc<BackendGuard>,
    pub(super) flights: &'a Arc<Flights>,
    pub(super) clock: &'a Clock,
    pub(super) collapse_wait: Duration,
    /// Whether what this process keeps of the backend will do.
    pub(super) near: bool,
    pub(super) key: &'a Key,
    /// The key of the group's record.
    pub(super) group: Option<&'a Key>,
    /// Whether the last look-up of this policy by this worker found nothing.
    pub(super) found_nothing: &'a Cell<bool>,
}

/// What a read does next.
pub(super) enum Decision {
    /// Answer from the entry, which is fresh or, if not, may be used all the same.
    Hit(Arc<Entry>, Version),
    /// The entry has expired but may still be of use while it is refreshed.
    Stale(Arc<Entry>, Version),
    /// Run the handler and fill the key.
    Lead(Box<Lead>),
    /// Another request's answer.
    Collapsed(Arc<Entry>),
    /// Run the handler and store nothing.
    RunAlone,
}

/// The right to fill a key.
pub(super) struct Lead {
    pub(super) flight: Flight,
    /// What must still be there when the key is filled.
    pub(super) expected: Version,
    /// Whether an entry stands there, rather than a claim.
    pub(super) refreshes: bool,
    pub(super) generation: u64,
    pub(super) group: Option<GroupStamp>,
}

/// What the look-up found under a key.
pub(super) enum State {
    Filled(Arc<Entry>, Version),
    Claimed(Claim),
    Vacant(Version),
}

impl Lookup<'_> {
    /// The entry under the key, if it is a fresh answer and nobody has to be asked for it.
    pub(super) fn at_hand(&self) -> Option<Arc<Entry>> {
        if !self.near {
            return None;
        }
        let generation = self.guard.generation();
        let found = self.guard.at_hand(self.key.full())?;
        let group = match self.group {
            None => None,
            Some(key) => read_stamp(key, Some(&self.guard.at_hand(key.full())?)),
        };
        let entry = decode(&found.value)?;
        let is_fresh = entry.metadata.fresh_until() > self.clock.milliseconds();
        // Asked last: whatever was found while the backend was trusted is an answer.
        (self.is_answer(&entry, generation, group.as_ref()) && is_fresh && self.guard.is_ready())
            .then_some(entry)
    }

    /// Finds out what the read does next, and claims the key where it is vacant. An expired entry of
    /// the id `useless` counts as vacant.
    pub(super) async fn decide(&self, useless: Option<ValueId>) -> Result<Decision, Unavailable> {
        // What is rare is boxed, so that what every miss allocates and moves stays small.
        for _ in 0..ATTEMPTS {
            // Taken before anything is read, so that an entry never claims to be newer than it is.
            let generation = self.guard.generation();
            let (state, group) = if self.brings_claim() {
                match self.look_and_claim(generation).await? {
                    Either::Left(lead) => return Ok(Decision::Lead(Box::new(lead))),
                    Either::Right(state) => (state, None),
                }
            } else {
                self.look(generation).await?
            };
            let is_vacant = matches!(state, State::Vacant(Version::Absent));
            self.found_nothing.set(is_vacant);
            let state = match state {
                State::Filled(entry, version) if Some(entry.id) == useless => {
                    State::Vacant(version)
                }
                state => state,
            };
            match state {
                State::Filled(entry, version) => {
                    let fresh = entry.metadata.fresh_until() > self.clock.milliseconds();
                    return Ok(if fresh {
                        Decision::Hit(entry, version)
                    } else {
                        Decision::Stale(entry, version)
                    });
                }
                State::Claimed(claim) => {
                    if let Some(flight) = self.flights.find(claim.id) {
                        let landing = Box::pin(timeout(CLAIM_LIFETIME, join(flight)))
                            .await
                            .unwrap_or_default();
                        return Ok(landing.map_or(Decision::RunAlone, Decision::Collapsed));
                    }
                    if let Some(decision) = Box::pin(self.wait_for_other_instance(claim)).await? {
                        return Ok(decision);
                    }
                }
                State::Vacant(seen) => {
                    if let Some(lead) = self.claim(seen, generation, group).await? {
                        return Ok(Decision::Lead(Box::new(lead)));
                    }
                }
            }
        }
        Ok(Decision::RunAlone)
    }

    /// The entry under the key, if it is an answer; claims nothing.
    pub(super) async fn peek(&self) -> Result<Option<Arc<Entry>>, Unavailable> {
        let (state, _) = self.look(self.guard.generation()).await?;
        Ok(match state {
            State::Filled(entry, _) if entry.metadata.fresh_until() > self.clock.milliseconds() => {
                Some(entry)
            }
            _ => None,
        })
    }

    /// Whether exactly this entry is still there: it was not invalidated.
    pub(super) async fn still_holds(&self, id: ValueId) -> bool {
        matches!(self.look(self.guard.generation()).await, Ok((State::Filled(entry, _), _)) if entry.id == id)
    }

    /// The right to replace an ageing entry, for one request of this process.
    pub(super) fn refresh(&self, entry: &Entry, version: Version) -> Option<Lead> {
        Some(Lead {
            flight: self.flights.start(entry.id)?,
            expected: version,
            refreshes: true,
            generation: entry.metadata.generation,
            group: entry.metadata.group.clone(),
        })
    }

    /// The flight that refreshes this entry, if one is under way in this process.
    pub(super) async fn join_refresh(&self, entry: &Entry) -> Option<Arc<Entry>> {
        timeout(CLAIM_LIFETIME, join(self.flights.find(entry.id)?))
            .await
            .unwrap_or_default()
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Unavailable> {
        if self.near {
            self.guard.get(key).await
        } else {
            self.guard.get_from_server(key).await
        }
    }

    /// One round trip: the key and, where there is one, the group's generation.
    pub(super) async fn look(
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
    pub(super) async fn state(
        &self,
        found: Option<Found>,
        generation: u64,
        group: Option<&GroupStamp>,
    ) -> Result<State, Unavailable> {
        // Asked again: while this waited, the server may have become another, with an old snapshot.
        if !self.guard.is_ready() {
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
        let group = read_stamp(key, self.guard.get_from_server(key.full()).await?.as_ref());
        Ok(group.is_some_and(|group| group.generation == claim.group_generation))
    }

    fn is_answer(&self, entry: &Entry, generation: u64, group: Option<&GroupStamp>) -> bool {
        entry.metadata.generation == generation
            && self.group.is_some() == entry.metadata.group.is_some()
            && entry.metadata.group.as_ref() == group
    }

    /// Waits for another instance to fill the key; `None` where its claim ended without an answer.
    async fn wait_for_other_instance(&self, claim: Claim) -> Result<Option<Decision>, Unavailable> {
        // By the holder's clock or by ours, whichever ends sooner: a dead holder costs nobody more
        // than one wait.
        let age = Duration::from_millis(self.clock.milliseconds().saturating_sub(claim.created));
        let deadline = Instant::now() + self.collapse_wait.saturating_sub(age);
        let mut pause = POLL.0;
        loop {
            if Instant::now() >= deadline {
                return Ok(Some(Decision::RunAlone));
            }
            sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
            pause = (pause * 2).min(POLL.1);
            match self.look(self.guard.generation()).await?.0 {
                State::Filled(entry, _) => return Ok(Some(Decision::Collapsed(entry))),
                State::Claimed(standing) if standing.id == claim.id => {}
                State::Claimed(_) | State::Vacant(_) => return Ok(None),
            }
        }
    }
}

/// The stamp of the group's record, where there is one that can be read.
pub(super) fn read_stamp(key: &Key, record: Option<&Found>) -> Option<GroupStamp> {
    Some(stamp(key, read_generation(record?)?))
}

pub(super) fn stamp(key: &Key, generation: u64) -> GroupStamp {
    GroupStamp {
        name: key.group().to_owned(),
        generation,
    }
}

/// The generation in the head of a group's record.
pub(super) fn read_generation(found: &Found) -> Option<u64> {
    let head = std::str::from_utf8(found.value.get(..super::backends::HEAD_BYTES)?).ok()?;
    u64::from_str_radix(head.strip_prefix("cache/2 ")?, 16).ok()
}
