//! Visits to the namespace's record. A *visit* reads the record and the server's identity and, where needed, writes the
//! record. So an instance learns the generation, answers a roll call, or begins one.
//!
//! Come here to see when the record is written. No other file may write it. Its format is in
//! `stored::namespace_record`; the deadline of a visit is in `intervals`.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::guarded_backend::GuardedBackend;
use super::health::Unavailable;
use crate::infrastructure::cache::backends::{BackendError, Found, Version};
use crate::infrastructure::cache::keys::Key;
use crate::infrastructure::cache::stored::{Member, NamespaceRecord, OfAnotherKey};

/// The key of the namespace's record.
pub(super) const RECORD_KEY: &str = "~generation";
/// The time that the server keeps the record after it was written. It is written again long before: see `known_record`.
const RECORD_LIFETIME: Duration = Duration::from_hours(720);
/// The longest pause, in milliseconds, before a visit is repeated because another instance wrote the record at the same
/// time.
const LONGEST_PAUSE_MS: u64 = 10;

/// The purpose of a visit to the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent<'a> {
    /// To read the generation, and to answer the newest roll call.
    Confirm,
    /// To begin a roll call.
    CallRoll,
    /// To distrust every entry stored so far. Begins a roll call.
    NewGeneration,
    /// To remove these instances, which did not answer, and to distrust the entries that their pending
    /// deletions may concern.
    RemoveInstances(&'a [u64]),
    /// To remove this instance, which holds no pending deletion.
    Leave,
}

/// The reason that a visit failed.
#[derive(Clone, Debug)]
pub(super) enum VisitError {
    /// The record was set on another server: this one has restarted, or was replaced.
    OtherServer,
    /// The record is absent. The entries that it protected may still be stored.
    NoRecord,
    /// Another instance wrote at the same time.
    Contested,
    /// The operation failed; the breaker has counted it.
    Unavailable(Unavailable),
}

impl From<Unavailable> for VisitError {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl From<VisitError> for Unavailable {
    fn from(error: VisitError) -> Self {
        match error {
            VisitError::OtherServer => Self("the cache server is another than before".to_owned()),
            VisitError::NoRecord => Self("the namespace has no record".to_owned()),
            VisitError::Contested => Self("too many instances write at the same time".to_owned()),
            VisitError::Unavailable(error) => error,
        }
    }
}

/// Visits the record, within one deadline, and trusts the generation it finds or begins.
pub(super) async fn visit(
    backend: &GuardedBackend,
    intent: Intent<'_>,
) -> Result<NamespaceRecord, VisitError> {
    visit_until(backend, intent, Instant::now() + backend.deadline).await
}

/// The same as [`visit`], with the given deadline.
pub(super) async fn visit_until(
    backend: &GuardedBackend,
    intent: Intent<'_>,
    until: Instant,
) -> Result<NamespaceRecord, VisitError> {
    let visits = async {
        loop {
            match visit_once(backend, intent).await {
                Err(VisitError::Contested) => {
                    let pause = rand::random_range(1..=LONGEST_PAUSE_MS);
                    sleep(Duration::from_millis(pause)).await;
                }
                ended => return ended,
            }
        }
    };
    if let Ok(ended) = timeout_at(until.into(), visits).await {
        return ended;
    }
    let late = Err(BackendError::no_answer_within(backend.deadline));
    match backend.note::<()>(late) {
        Err(error) => Err(error.into()),
        Ok(()) => Err(VisitError::Contested),
    }
}

/// The record, read without answering its roll call.
pub(super) async fn read_record(
    backend: &GuardedBackend,
) -> Result<Option<NamespaceRecord>, Unavailable> {
    let key = backend.key(RECORD_KEY);
    let found = backend.get_from_server(key.full()).await?;
    parse(backend, &key, found.as_ref())
}

fn parse(
    backend: &GuardedBackend,
    key: &Key,
    found: Option<&Found>,
) -> Result<Option<NamespaceRecord>, Unavailable> {
    let Some(found) = found else {
        return Ok(None);
    };
    NamespaceRecord::read(key, &found.value).map_err(|OfAnotherKey| {
        backend.reject_connection(key.full());
        Unavailable("the value of another key arrived".to_owned())
    })
}

async fn visit_once(
    backend: &GuardedBackend,
    intent: Intent<'_>,
) -> Result<NamespaceRecord, VisitError> {
    let asked = Instant::now();
    let before = backend.generation();
    let key = backend.key(RECORD_KEY);
    let found = backend.get_from_server(key.full()).await?;
    // Asked after the record was read: so the record cannot be that of a server before this one.
    let server = backend.observe(backend.unguarded.server_identity()).await?;
    let recorded = parse(backend, &key, found.as_ref())?;
    if recorded.is_none() && intent == Intent::Leave {
        return Ok(NamespaceRecord::default());
    }
    let own = backend.membership();
    let known = backend.record.members();
    let record = next(recorded.as_ref(), &known, &server, own, intent)?;
    let writes = recorded.as_ref() != Some(&record) || backend.record.must_be_prolonged();
    if writes {
        let expected = found.map_or(Version::Absent, |found| found.version);
        let stored = backend
            .compare_and_set(key.full(), &expected, record.write(&key), RECORD_LIFETIME)
            .await?;
        if stored.is_none() {
            return Err(VisitError::Contested);
        }
    }
    backend.record.remember(&record.members, writes);
    let trusted =
        intent == Intent::Leave || backend.trust_generation(before, record.generation, asked);
    if trusted {
        Ok(record)
    } else {
        // This instance has begun a newer generation meanwhile.
        Err(VisitError::Contested)
    }
}

/// The record after a visit. `known` are the members that this instance saw in the record before.
fn next(
    recorded: Option<&NamespaceRecord>,
    known: &[Member],
    server: &str,
    own: Member,
    intent: Intent<'_>,
) -> Result<NamespaceRecord, VisitError> {
    let begins = matches!(intent, Intent::NewGeneration | Intent::RemoveInstances(_));
    let mut record = match recorded {
        Some(recorded) if recorded.server == server => recorded.clone(),
        // An old snapshot does not list the instances that have joined since.
        Some(recorded) if intent == Intent::NewGeneration => with_known(recorded.clone(), known),
        Some(_) => return Err(VisitError::OtherServer),
        None if intent == Intent::Confirm => return Err(VisitError::NoRecord),
        // The record was flushed or evicted, or this is the first one. No earlier entry is trusted.
        None => NamespaceRecord {
            generation: rand::random(),
            round: known
                .iter()
                .map(|member| member.answered)
                .max()
                .unwrap_or(0),
            server: server.to_owned(),
            members: known.to_vec(),
        },
    };
    server.clone_into(&mut record.server);
    if begins {
        record.generation = rand::random();
    }
    if let Intent::RemoveInstances(ids) = intent {
        for id in ids {
            record.remove(*id);
        }
    }
    match intent {
        Intent::Leave => {
            record.remove(own.id);
            return Ok(record);
        }
        Intent::CallRoll | Intent::NewGeneration | Intent::RemoveInstances(_) => record.round += 1,
        Intent::Confirm => {}
    }
    if record.answer(own.id, own.grace) {
        Ok(record)
    } else {
        Err(Unavailable("the namespace has too many instances".to_owned()).into())
    }
}

fn with_known(mut record: NamespaceRecord, known: &[Member]) -> NamespaceRecord {
    for member in known {
        let is_listed = record.members.iter().any(|listed| listed.id == member.id);
        if !is_listed {
            record.members.push(*member);
        }
        // An answer from a time after the snapshot must not count for a later roll call.
        record.round = record.round.max(member.answered);
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(1);
    const OWN: Member = Member {
        id: 1,
        answered: 0,
        grace: GRACE,
    };
    const OTHER: Member = Member { id: 2, ..OWN };

    fn after(recorded: &NamespaceRecord, server: &str, intent: Intent<'_>) -> NamespaceRecord {
        next(Some(recorded), &[], server, OWN, intent).unwrap()
    }

    fn recorded() -> NamespaceRecord {
        NamespaceRecord {
            generation: 7,
            round: 3,
            server: "run-1".to_owned(),
            members: vec![OTHER],
        }
    }

    fn answers(record: &NamespaceRecord) -> Vec<(u64, u64)> {
        let members = record.members.iter();
        members.map(|member| (member.id, member.answered)).collect()
    }

    #[test]
    fn c35_a_confirming_instance_answers_and_changes_nothing_else() {
        let record = after(&recorded(), "run-1", Intent::Confirm);
        assert_eq!((record.generation, record.round), (7, 3));
        assert_eq!(answers(&record), [(2, 0), (1, 3)]);
        assert_eq!(after(&record, "run-1", Intent::Confirm), record);
    }

    #[test]
    fn c35_a_roll_call_leaves_the_generation_and_a_new_generation_calls_the_roll() {
        let record = after(&recorded(), "run-1", Intent::CallRoll);
        assert_eq!(
            (record.generation, answers(&record)),
            (7, vec![(2, 0), (1, 4)])
        );
        let record = after(&recorded(), "run-2", Intent::NewGeneration);
        assert_ne!(record.generation, 7);
        assert_eq!((record.server.as_str(), record.round), ("run-2", 4));
    }

    #[test]
    fn c35_another_server_is_trusted_only_with_a_new_generation() {
        for intent in [
            Intent::Confirm,
            Intent::CallRoll,
            Intent::RemoveInstances(&[2]),
            Intent::Leave,
        ] {
            let refused = next(Some(&recorded()), &[], "run-2", OWN, intent);
            assert!(
                matches!(refused, Err(VisitError::OtherServer)),
                "{intent:?}"
            );
        }
    }

    #[test]
    fn c35_an_old_snapshot_is_completed_by_the_instances_that_have_joined_since() {
        let since = Member {
            id: 3,
            answered: 9,
            ..OTHER
        };
        let recorded = recorded();
        let record = next(
            Some(&recorded),
            &[OTHER, since],
            "run-2",
            OWN,
            Intent::NewGeneration,
        );
        let record = record.unwrap();
        assert_eq!(answers(&record), [(2, 0), (3, 9), (1, 10)]);
    }

    #[test]
    fn c58_an_instance_without_an_answer_is_removed_and_its_pending_deletions_are_covered() {
        let record = after(&recorded(), "run-1", Intent::RemoveInstances(&[2]));
        assert_ne!(record.generation, 7);
        assert_eq!(answers(&record), [(1, 4)]);
    }

    #[test]
    fn c58_an_instance_that_leaves_changes_nothing_else() {
        let with_own = after(&recorded(), "run-1", Intent::Confirm);
        assert_eq!(after(&with_own, "run-1", Intent::Leave), recorded());
    }

    #[test]
    fn c35_a_lost_record_is_begun_anew_with_the_instances_that_are_known() {
        let refused = next(None, &[OTHER], "run-1", OWN, Intent::Confirm);
        assert!(matches!(refused, Err(VisitError::NoRecord)));
        let record = next(None, &[OTHER], "run-1", OWN, Intent::CallRoll).unwrap();
        assert_eq!((record.round, answers(&record)), (1, vec![(2, 0), (1, 1)]));
    }
}
