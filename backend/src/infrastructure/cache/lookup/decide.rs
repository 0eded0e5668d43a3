//! The next step of a read: answer, wait for another request, run the handler and fill, or run the
//! handler alone.
//!
//! Come here when a read was not answered as expected. How a key is read is in `look`, how it is claimed
//! in `claim`. Nothing here knows responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::Either;
use tokio::time::{Instant, sleep, timeout};
use tracing::Span;

use super::claim::{CLAIM_LIFETIME, Claimant};
use super::fill_permit::FillPermit;
use super::look::{Records, State};
use crate::backends::Version;
use crate::breaker::Unavailable;
use crate::spans;
use crate::stored::{Claim, Entry, ValueId};

/// The interval between look-ups for another instance's answer: the first one, and the longest one.
const POLL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(25));

/// The number of attempts to claim. After the last lost race the request goes on without storing.
const ATTEMPTS: u32 = 4;

/// The next step of a read.
pub(crate) enum Decision {
    /// Answer from the entry, which is fresh at this time of the look-up's clock.
    Hit(Arc<Entry>, Version, u64),
    /// The entry has expired but may still be used while it is refreshed.
    Stale(Arc<Entry>, Version),
    /// Run the handler and fill the key.
    Fill(Box<FillPermit>),
    /// Answer with another request's answer.
    Collapsed(Arc<Entry>),
    /// Run the handler and store nothing.
    RunAlone,
}

impl Decision {
    /// The name of the decision in a trace.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hit(..) => "hit",
            Self::Stale(..) => "stale",
            Self::Fill(_) => "fill",
            Self::Collapsed(_) => "collapsed",
            Self::RunAlone => "run alone",
        }
    }
}

/// A read of one key: it looks, claims or waits.
pub(crate) struct Decider<'a> {
    pub(crate) claimant: Claimant<'a>,
    /// The longest wait for another instance's answer: `CACHE_COLLAPSE_WAIT_MS`.
    pub(crate) collapse_wait: Duration,
    /// Whether the newest look-up of this policy on this worker thread found no value. The next look-up then claims in
    /// the same round trip.
    pub(crate) found_nothing: &'a AtomicBool,
}

impl Decider<'_> {
    /// Decides the next step, and claims the key where it is vacant. The entry with the id `unusable` counts as vacant:
    /// the caller has seen that entry, and it is too old to answer with.
    pub(crate) async fn decide(&self, unusable: Option<ValueId>) -> Result<Decision, Unavailable> {
        let mut waits = Waits::new(self.collapse_wait);
        let lookup = &self.claimant.lookup;
        // All but a look-up is boxed, because each hit moves and allocates the whole future, and most hits only look.
        for _ in 0..ATTEMPTS {
            // Read before the database, so that an entry never carries a newer generation than its content.
            let generation = lookup.places.generation();
            let (state, records) = if self.claims_with_look_up() {
                match Box::pin(self.claimant.look_and_claim(generation)).await? {
                    Either::Left(permit) => return Ok(Decision::Fill(Box::new(permit))),
                    Either::Right(state) => (state, Records::default()),
                }
            } else {
                lookup.look(generation).await?
            };
            let is_vacant = matches!(state, State::Vacant(Version::Absent));
            self.found_nothing.store(is_vacant, Ordering::Relaxed);
            let state = match state {
                State::Filled(entry, version) if Some(entry.id) == unusable => {
                    State::Vacant(version)
                }
                state => state,
            };
            match state {
                State::Filled(entry, version) => {
                    let now = lookup.clock.milliseconds();
                    return Ok(if entry.metadata.fresh_until() > now {
                        Decision::Hit(entry, version, now)
                    } else {
                        Decision::Stale(entry, version)
                    });
                }
                State::Claimed(claim) => {
                    if let Some(single_flight) = self.claimant.single_flights.find(claim.id) {
                        tracing::debug!("a read waits for the run of another request");
                        let answer = Box::pin(timeout(CLAIM_LIFETIME, single_flight.join()))
                            .await
                            .unwrap_or_default();
                        return Ok(answer.map_or(Decision::RunAlone, Decision::Collapsed));
                    }
                    // The run is another instance's: its span has the same claim.
                    spans::record_claim(&Span::current(), claim.id.0);
                    tracing::debug!("a read waits for the run of another instance");
                    let deadline = waits.deadline(self.age_of(&claim));
                    let waiting = Box::pin(self.wait_for_other_instance(claim, deadline));
                    if let Some(decision) = waiting.await? {
                        return Ok(decision);
                    }
                }
                State::Vacant(seen) => {
                    let claiming = Box::pin(self.claimant.claim(seen, generation, records));
                    if let Some(permit) = claiming.await? {
                        return Ok(Decision::Fill(Box::new(permit)));
                    }
                }
            }
        }
        Ok(Decision::RunAlone)
    }

    /// Whether the look-up claims in the same round trip.
    fn claims_with_look_up(&self) -> bool {
        self.found_nothing.load(Ordering::Relaxed)
            && !self.claimant.lookup.memberships.have_records()
    }

    /// The age of a claim: from its creation by the holder's clock to now by this process's clock.
    fn age_of(&self, claim: &Claim) -> Duration {
        let now = self.claimant.lookup.clock.milliseconds();
        Duration::from_millis(now.saturating_sub(claim.created))
    }

    /// Waits for another instance to fill the key; `None` where its claim ended without an answer.
    async fn wait_for_other_instance(
        &self,
        claim: Claim,
        deadline: Instant,
    ) -> Result<Option<Decision>, Unavailable> {
        let lookup = &self.claimant.lookup;
        let mut pause = POLL.0;
        loop {
            if Instant::now() >= deadline {
                return Ok(Some(Decision::RunAlone));
            }
            sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
            pause = (pause * 2).min(POLL.1);
            match lookup.look(lookup.places.generation()).await?.0 {
                State::Filled(entry, _) => return Ok(Some(Decision::Collapsed(entry))),
                State::Claimed(standing) if standing.id == claim.id => {}
                State::Claimed(_) | State::Vacant(_) => return Ok(None),
            }
        }
    }
}

/// The time that one read waits for claims of other instances: `CACHE_COLLAPSE_WAIT_MS` in all. A read may wait for
/// several claims in turn, because a write can end a claim and another reader then claims (C34).
struct Waits {
    limit: Duration,
    end: Option<Instant>,
}

impl Waits {
    fn new(limit: Duration) -> Self {
        Self { limit, end: None }
    }

    /// The end of the wait for a claim of this age: `limit` after the claim was made. So the claim of a process that has
    /// died delays only reads that begin within `limit` of the claim.
    fn deadline(&mut self, age: Duration) -> Instant {
        let now = Instant::now();
        let end = *self.end.get_or_insert(now + self.limit);
        end.min(now + self.limit.saturating_sub(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c34_a_read_waits_for_all_claims_together_within_one_limit() {
        let limit = Duration::from_secs(1);
        let mut waits = Waits::new(limit);
        let begun = Instant::now();
        let first = waits.deadline(Duration::ZERO);
        assert!(first >= begun + limit);
        // Each claim is new, and no claim adds another second.
        std::thread::sleep(Duration::from_millis(2));
        for _ in 0..3 {
            assert_eq!(waits.deadline(Duration::ZERO), first);
        }
        assert!(
            waits.deadline(limit) < first,
            "no read waits for an old claim"
        );
    }
}
