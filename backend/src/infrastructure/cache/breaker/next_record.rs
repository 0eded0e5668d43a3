//! The purposes of a visit to the namespace's record, and the record that each leaves behind.
//!
//! Come here to change what is written. Nothing here asks a server: `namespace_generation` reads and writes.

use super::health::Unavailable;
use crate::stored::{Member, NamespaceRecord};

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
    /// The record names another list of servers, which was not known before.
    OtherList,
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
            VisitError::OtherList => {
                Self("an instance uses another list of cache servers".to_owned())
            }
            VisitError::Contested => Self("too many instances write at the same time".to_owned()),
            VisitError::Unavailable(error) => error,
        }
    }
}

/// The record after a visit. `known` are the members that this instance saw in the record before.
pub(super) fn next(
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
            list: own.list,
            members: known.to_vec(),
        },
    };
    server.clone_into(&mut record.server);
    // The last instance of another list has left.
    let takes_over = record.list != own.list
        && !record.has_member_of_other_list(own.list)
        && intent != Intent::Leave;
    if begins || takes_over {
        record.generation = rand::random();
    }
    // While instances of both lists are there, the record names the list that has begun a generation last: an instance
    // of the other one that was frozen all the time reads it afterwards.
    if takes_over || intent == Intent::NewGeneration {
        record.list = own.list;
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
    if record.answer(own) {
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
    use std::time::Duration;

    use super::*;

    const GRACE: Duration = Duration::from_secs(1);
    const OWN: Member = Member {
        id: 1,
        answered: 0,
        grace: GRACE,
        list: 0,
        lacking: 0,
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
            list: 0,
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
    fn c61_a_list_takes_a_record_over_when_no_instance_of_another_list_is_left() {
        let own = Member { list: 9, ..OWN };
        let visit = |recorded: &NamespaceRecord, intent| {
            next(Some(recorded), &[], "run-1", own, intent).unwrap()
        };
        let shared = visit(&recorded(), Intent::Confirm);
        assert_eq!((shared.generation, shared.list), (7, 0));
        let begun = visit(&recorded(), Intent::NewGeneration);
        assert_eq!(
            begun.list, 9,
            "a frozen instance of the other list reads it"
        );
        let removed = visit(&shared, Intent::RemoveInstances(&[2]));
        let alone = visit(&removed, Intent::Confirm);
        assert_ne!(alone.generation, removed.generation);
        assert_eq!(alone.list, 9);
        assert_eq!(visit(&alone, Intent::Confirm), alone);
    }

    #[test]
    fn c35_a_lost_record_is_begun_anew_with_the_instances_that_are_known() {
        let refused = next(None, &[OTHER], "run-1", OWN, Intent::Confirm);
        assert!(matches!(refused, Err(VisitError::NoRecord)));
        let record = next(None, &[OTHER], "run-1", OWN, Intent::CallRoll).unwrap();
        assert_eq!((record.round, answers(&record)), (1, vec![(2, 0), (1, 1)]));
    }
}
