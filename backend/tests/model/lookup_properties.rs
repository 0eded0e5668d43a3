//! Properties of look-ups that hold in every order of their steps, and properties that fail when a step
//! is removed.
//!
//! Come here to add a property of one key. The steps are in `lookup` and `reader_steps`.

use crate::lookup::{Lookup, Variant};
use crate::{fails, holds, soaks};

pub const OLD_ENTRY: &str = "no entry that is an answer is old";
const OLD_ANSWER: &str = "no reader gets an old answer";

pub const SAME_PROCESS: &[u8] = &[0, 0];
pub const TWO_PROCESSES: &[u8] = &[0, 1];

pub fn key(processes: &'static [u8]) -> Lookup {
    Lookup {
        processes,
        writers: 1,
        records: 0,
        has_rights: false,
        vanishes: true,
        refreshes: true,
        variant: Variant::Complete,
    }
}

pub fn group(processes: &'static [u8]) -> Lookup {
    Lookup {
        records: 1,
        refreshes: false,
        ..key(processes)
    }
}

#[test]
fn c33_no_interleaving_of_two_readers_and_a_writer_serves_an_old_value() {
    holds(key(SAME_PROCESS));
    holds(key(TWO_PROCESSES));
}

#[test]
fn c33_no_interleaving_of_two_readers_and_two_writers_serves_an_old_value() {
    let writers = 2;
    holds(Lookup {
        writers,
        ..key(SAME_PROCESS)
    });
    holds(Lookup {
        writers,
        ..key(TWO_PROCESSES)
    });
}

#[test]
fn c33_no_interleaving_of_three_readers_and_two_writers_serves_an_old_value() {
    if soaks() {
        holds(Lookup {
            writers: 2,
            ..key(&[0, 0, 1])
        });
    }
}

#[test]
fn c33_a_fill_without_a_comparison_with_its_claim_stores_old_values() {
    for variant in [Variant::FillUnconditionally, Variant::FillIfAbsent] {
        let model = Lookup {
            refreshes: false,
            variant,
            ..key(SAME_PROCESS)
        };
        fails(model, OLD_ENTRY);
    }
}

#[test]
fn c33_a_writer_that_deletes_before_it_commits_leaves_old_values() {
    let model = Lookup {
        variant: Variant::DeleteBeforeCommit,
        ..key(SAME_PROCESS)
    };
    fails(model, OLD_ENTRY);
}

#[test]
fn c38_a_refresh_without_a_comparison_with_its_entry_brings_back_a_deleted_value() {
    let model = Lookup {
        variant: Variant::RefreshUnconditionally,
        ..key(SAME_PROCESS)
    };
    fails(model, OLD_ENTRY);
}

#[test]
fn c34_a_request_that_joins_a_single_flight_whose_claim_it_did_not_see_gets_an_old_value() {
    let model = Lookup {
        variant: Variant::JoinUnseen,
        ..key(SAME_PROCESS)
    };
    fails(model, OLD_ANSWER);
}

#[test]
fn c36_no_interleaving_of_two_readers_and_a_writer_serves_an_old_value_of_a_group() {
    holds(group(SAME_PROCESS));
    holds(group(TWO_PROCESSES));
}

#[test]
fn c36_no_interleaving_of_more_readers_or_writers_serves_an_old_value_of_a_group() {
    if soaks() {
        for processes in [SAME_PROCESS, TWO_PROCESSES] {
            holds(Lookup {
                writers: 2,
                ..group(processes)
            });
        }
    }
}

#[test]
fn c36_a_generation_that_is_read_when_storing_makes_old_values_answers() {
    let model = Lookup {
        variant: Variant::StampWhenStoring,
        ..group(SAME_PROCESS)
    };
    fails(model, OLD_ENTRY);
}

#[test]
fn c36_a_claim_without_the_groups_generation_lets_requests_join_a_single_flight_from_before_a_write()
 {
    let model = Lookup {
        variant: Variant::ClaimWithoutGeneration,
        ..group(SAME_PROCESS)
    };
    fails(model, OLD_ANSWER);
}

/// The group's record may vanish between the two steps of `begin_record`, and the claim is then made without a
/// generation. Readers that find no record either must not accept it: a write may have ended the record.
#[test]
fn c36_a_claim_without_a_generation_must_not_stand_while_the_group_has_none() {
    let model = Lookup {
        variant: Variant::AbsentGenerationsMatch,
        ..group(SAME_PROCESS)
    };
    fails(model, OLD_ANSWER);
}
