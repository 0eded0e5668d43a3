//! The supervisor of a backend: probes it, recognises that it is reachable again, and recovers it.
//!
//! Come here for the order of the recovery. The states are described in `guarded_backend`, the intervals
//! in `intervals`. Requests do not wait for the supervisor, except in `distrust`.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::guarded_backend::GuardedBackend;
use super::health::Availability;
use super::intervals::PROBE;
use super::namespace_generation::visit;
use super::next_record::{Intent, VisitError};
use super::recovery::{join, leave, recover};
use super::roll_call::{Progress, RollCall};
use crate::stored::NamespaceRecord;

/// The pause between two visits during a recovery.
const PAUSE: Duration = Duration::from_millis(10);
/// The pause between two reads of a roll call.
const ROLL_CALL_PAUSE: Duration = Duration::from_millis(25);
/// The longest time that the start of the process waits for the answers of other instances. A process that has all answers
/// begins with hits.
const START_WAIT: Duration = Duration::from_secs(1);

/// Keeps the supervisor running until it is dropped.
#[derive(Debug)]
pub(crate) struct Supervisor(JoinHandle<()>);

impl Supervisor {
    /// Tries once to reach the backend, then watches over it. Returns when the backend is trusted or
    /// unavailable, after one deadline and [`START_WAIT`] at most.
    pub(crate) async fn start(backend: Arc<GuardedBackend>) -> Self {
        let asked = Instant::now();
        let joined = join(&backend).await.ok();
        if joined.is_none() {
            backend.health.was_not_reached();
            let (list, place) = (&backend.list, backend.place);
            list.note_unavailable(place, asked.into_std(), backend.intervals.lease);
        }
        let supervisor = Self(tokio::spawn(supervise(Arc::clone(&backend), joined)));
        let decided = async {
            while backend.availability() == Availability::Recovering {
                sleep(PAUSE).await;
            }
        };
        // After that the process starts without a trusted backend, and its requests go to their
        // handlers.
        let _ = timeout(START_WAIT, decided).await;
        supervisor
    }

    /// Ends the supervisor, delivers the pending deletions and leaves the namespace. Returns at `until` at the latest.
    pub(crate) async fn stop(&self, backend: &Arc<GuardedBackend>, until: std::time::Instant) {
        self.0.abort();
        // When the task has ended, the deletions that it was delivering are pending again.
        while !self.0.is_finished() && std::time::Instant::now() < until {
            sleep(PAUSE).await;
        }
        leave(backend, until).await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn supervise(backend: Arc<GuardedBackend>, joined: Option<RollCall>) {
    let mut met_outage = joined.is_none();
    let mut call = joined;
    let mut probe_at = Instant::now() + PROBE;
    loop {
        match backend.availability() {
            Availability::Unavailable => {
                // The first probe of an outage comes at once.
                if met_outage {
                    let settles_at = backend.unguarded.settles_at().map(Instant::from_std);
                    sleep_until(next_probe(probe_at, settles_at, Instant::now())).await;
                }
                probe_at = Instant::now() + PROBE;
                met_outage = true;
                let asked = Instant::now();
                call = probe(&backend).await;
                if call.is_none() {
                    let (list, place) = (&backend.list, backend.place);
                    list.note_unavailable(place, asked.into_std(), backend.intervals.lease);
                }
            }
            Availability::Doubtful => {
                met_outage = false;
                match call_roll(&backend).await {
                    Some(next) => call = Some(next.in_place_of(call)),
                    None => sleep(PAUSE).await,
                }
            }
            Availability::Recovering => match call {
                Some(call) => follow(&backend, call).await,
                None => backend.health.doubt(),
            },
            Availability::Ready => {
                met_outage = false;
                let _ = timeout(backend.intervals.confirm, backend.health.changed()).await;
                if backend.availability() == Availability::Ready {
                    // The generation is confirmed meanwhile, so that the lease does not end.
                    let record = confirm(&backend).await;
                    if let Some(record) =
                        record.filter(|_| backend.list.has_cut_off_instance(backend.place))
                    {
                        call = find_ended(&backend, call, &record).await;
                    }
                }
            }
        }
    }
}

/// When an unavailable backend is probed next: at its time, or else as soon as the server that has taken the place of another one may
/// be used. Before that no attempt can succeed.
fn next_probe(at: Instant, settles_at: Option<Instant>, now: Instant) -> Instant {
    settles_at.filter(|settled| *settled > now).unwrap_or(at)
}

/// Tries to recover an unavailable backend. If the first attempt fails, a second one follows at once: the first one may
/// have used connections that died during the outage, and other instances wait for this one no longer than its grace.
async fn probe(backend: &Arc<GuardedBackend>) -> Option<RollCall> {
    for _ in 0..2 {
        // `recover` has logged its error, at most once a second.
        if let Ok(call) = recover(backend).await {
            return Some(call);
        }
    }
    None
}

/// Leaves *Doubtful* for *Recovering*: asks whether the server is the same, and begins a roll call.
async fn call_roll(backend: &GuardedBackend) -> Option<RollCall> {
    let doubts = backend.health.doubts();
    match visit(backend, Intent::CallRoll).await {
        // A failure since the question counts: another instance may have failed at the same moment, after it had
        // answered.
        Ok(record) if backend.health.doubts() == doubts => {
            backend
                .health
                .advance(Availability::Doubtful, Availability::Recovering);
            Some(RollCall::begun(&record))
        }
        Ok(_) => None,
        Err(error) => {
            react(backend, &error);
            None
        }
    }
}

/// Leaves *Recovering* for *Ready* when every other instance has answered.
async fn follow(backend: &GuardedBackend, call: RollCall) {
    // Before the record is read, so that it has the generation of an instance that has delivered meanwhile.
    let lacks_deletions = backend.list.is_lacking(backend.place);
    let Some(record) = confirm(backend).await else {
        return;
    };
    match call.progress(&record, backend.membership().id) {
        // Another server of the list has not been asked yet.
        Progress::Complete if !backend.has_lease() => sleep(ROLL_CALL_PAUSE).await,
        // Instances that have ended are found by another roll call.
        Progress::Complete if lacks_deletions || !backend.list.is_agreed() => {
            sleep(backend.intervals.confirm).await;
            if call.is_old(backend.membership().grace) {
                backend.health.doubt();
            }
        }
        Progress::Complete => {
            if holds_no_older_change(backend).await {
                backend
                    .health
                    .advance(Availability::Recovering, Availability::Ready);
            } else {
                sleep(ROLL_CALL_PAUSE).await;
            }
        }
        Progress::Waiting => sleep(ROLL_CALL_PAUSE).await,
        Progress::Overdue(instances) => {
            tracing::warn!(
                backend = backend.registered_name,
                instances = instances.len(),
                "instances do not answer: they have ended or cannot reach the cache, so all entries from before are distrusted"
            );
            // If it fails, the next round repeats it.
            let _ = visit(backend, Intent::RemoveInstances(&instances)).await;
        }
    }
}

/// Removes instances from the record of a trusted server that have ended: one of them could not reach another server of
/// the list, and would keep that one out of use for ever. Returns the roll call that finds them.
async fn find_ended(
    backend: &GuardedBackend,
    call: Option<RollCall>,
    record: &NamespaceRecord,
) -> Option<RollCall> {
    let own = backend.membership();
    match call.filter(|call| !call.is_old(own.grace)) {
        None => {
            let called = visit(backend, Intent::CallRoll).await;
            called.ok().map(|record| RollCall::begun(&record))
        }
        Some(call) => {
            if let Progress::Overdue(instances) = call.progress(record, own.id) {
                let _ = visit(backend, Intent::RemoveInstances(&instances)).await;
            }
            Some(call)
        }
    }
}

/// Whether every change from before this moment has been delivered (C55). Without a feed, or while its source does not
/// answer, the roll call alone decides (C35).
async fn holds_no_older_change(backend: &GuardedBackend) -> bool {
    match backend.feed() {
        None => true,
        Some(feed) => feed.has_delivered().await.unwrap_or(true),
    }
}

/// Reads the generation and answers a roll call.
async fn confirm(backend: &GuardedBackend) -> Option<NamespaceRecord> {
    match visit(backend, Intent::Confirm).await {
        Ok(record) => Some(record),
        Err(error) => {
            react(backend, &error);
            sleep(PAUSE).await;
            None
        }
    }
}

/// Changes the state by the error of a visit.
fn react(backend: &GuardedBackend, error: &VisitError) {
    match error {
        VisitError::OtherServer => {
            tracing::warn!(
                backend = backend.registered_name,
                "the cache server is another than before"
            );
            backend.health.set_availability(Availability::Unavailable);
        }
        // The record was flushed or evicted. Absent entries are not stale, but other instances may hold pending
        // deletions.
        VisitError::NoRecord => backend.health.doubt(),
        // Every server of the list is distrusted already.
        VisitError::OtherList | VisitError::Contested | VisitError::Unavailable(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c60_a_promoted_server_is_probed_as_soon_as_it_may_be_used() {
        let now = Instant::now();
        let (early, late) = (now + PROBE / 2, now + PROBE);
        assert_eq!(next_probe(late, Some(early), now), early);
        assert_eq!(next_probe(early, Some(late), now), late, "not in vain");
        let before = now.checked_sub(PAUSE);
        assert_eq!(next_probe(late, before, now), late);
        assert_eq!(next_probe(late, None, now), late);
    }
}
