//! Roll calls: how an instance makes sure that no other instance holds earlier pending deletions.
//!
//! Come here to see when the wait for an instance ends. A roll call is a number in the namespace's record. Each listed
//! instance writes that number beside its own id when it visits the record next. (A visit is one read and, where needed,
//! one write of the record; see `namespace_generation`.) An instance with pending deletions writes no number. The longest
//! time for an answer is in `intervals`, not here.

use std::time::{Duration, Instant};

use crate::stored::{Member, NamespaceRecord};

/// A roll call that this instance has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct RollCall {
    round: u64,
    began: Instant,
    /// The shortest duration of the roll call, zero in most cases.
    minimum: Duration,
}

/// The progress of a roll call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Every other instance has answered.
    Complete,
    /// Some instances have not answered, and their grace has not ended.
    Waiting,
    /// The instances with these ids have not answered within their grace: they have died, or cannot reach the backend.
    Overdue(Vec<u64>),
}

impl RollCall {
    /// The roll call that has just been written into the record.
    pub(super) fn begun(record: &NamespaceRecord) -> Self {
        Self {
            round: record.round,
            began: Instant::now(),
            minimum: Duration::ZERO,
        }
    }

    /// The same roll call, complete after `minimum` at the earliest. After an outage an instance with pending deletions may
    /// be missing from the record's list. It needs that time to reach the backend and to list itself.
    pub(super) fn lasting_at_least(self, minimum: Duration) -> Self {
        Self { minimum, ..self }
    }

    /// The same roll call in the place of an earlier one that was not complete: it does not shorten that one.
    pub(super) fn in_place_of(self, earlier: Option<Self>) -> Self {
        let left = earlier.map(|earlier| earlier.minimum.saturating_sub(earlier.began.elapsed()));
        self.lasting_at_least(self.minimum.max(left.unwrap_or_default()))
    }

    /// The progress according to a record that has just been read. `own` is the id of this instance.
    pub(super) fn progress(&self, record: &NamespaceRecord, own: u64) -> Progress {
        self.progress_after(record, own, self.began.elapsed())
    }

    fn progress_after(&self, record: &NamespaceRecord, own: u64, elapsed: Duration) -> Progress {
        let missing = record
            .members
            .iter()
            .filter(|member| member.id != own && member.answered < self.round);
        let (overdue, waiting): (Vec<&Member>, Vec<&Member>) =
            missing.partition(|member| elapsed > member.grace);
        if !overdue.is_empty() {
            Progress::Overdue(overdue.iter().map(|member| member.id).collect())
        } else if waiting.is_empty() && elapsed >= self.minimum {
            Progress::Complete
        } else {
            Progress::Waiting
        }
    }

    /// Whether the roll call began so long ago that an instance may have ended since it answered.
    pub(super) fn is_old(&self, grace: Duration) -> bool {
        self.began.elapsed() > 2 * grace
    }

    /// The end of the wait for all instances, whatever happens to the record.
    pub(super) fn ends(&self, record: &NamespaceRecord) -> Instant {
        let longest = record.members.iter().map(|member| member.grace).max();
        self.began + longest.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u64 = 1;
    const GRACE: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_hours(1);
    const OTHER: Member = Member {
        id: 2,
        answered: 0,
        grace: GRACE,
        list: 0,
        lacking: 0,
    };

    /// A roll call, and the record in which it was begun: two instances, the other of which has not answered.
    fn called() -> (RollCall, NamespaceRecord) {
        let mut record = NamespaceRecord::default();
        assert!(record.answer(OTHER));
        record.round = 1;
        assert!(record.answer(Member { id: OWN, ..OTHER }));
        (RollCall::begun(&record), record)
    }

    #[test]
    fn c35_a_roll_call_is_complete_when_every_other_instance_has_answered() {
        let (call, mut record) = called();
        assert_eq!(call.progress(&record, OWN), Progress::Waiting);
        // An answer to a later roll call is an answer to this one too.
        record.round = 5;
        assert!(record.answer(OTHER));
        assert_eq!(call.progress(&record, OWN), Progress::Complete);
    }

    #[test]
    fn c35_an_instance_that_does_not_answer_within_its_grace_is_overdue() {
        let (call, record) = called();
        assert_eq!(call.progress_after(&record, OWN, GRACE), Progress::Waiting);
        let late = GRACE + Duration::from_millis(1);
        assert_eq!(
            call.progress_after(&record, OWN, late),
            Progress::Overdue(vec![2])
        );
    }

    #[test]
    fn c35_a_roll_call_after_an_outage_lasts_until_unlisted_instances_have_had_the_time_to_come_back()
     {
        let (call, mut record) = called();
        let call = call.lasting_at_least(GRACE);
        record.remove(2);
        assert_eq!(call.progress(&record, OWN), Progress::Waiting);
        assert_eq!(call.progress_after(&record, OWN, GRACE), Progress::Complete);
    }

    #[test]
    fn c35_a_roll_call_in_the_place_of_another_one_does_not_shorten_it() {
        let (call, mut record) = called();
        record.remove(2);
        let outage = call.lasting_at_least(LONG);
        let next = RollCall::begun(&record).in_place_of(Some(outage));
        assert_eq!(next.progress(&record, OWN), Progress::Waiting);
        let next = RollCall::begun(&record).in_place_of(Some(call));
        assert_eq!(next.progress(&record, OWN), Progress::Complete);
        let first = RollCall::begun(&record).in_place_of(None);
        assert_eq!(first.progress(&record, OWN), Progress::Complete);
    }

    #[test]
    fn an_instance_that_has_left_is_not_waited_for() {
        let (call, mut record) = called();
        record.remove(2);
        assert_eq!(call.progress(&record, OWN), Progress::Complete);
    }
}
