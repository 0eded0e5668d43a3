//! Variants of a resource and the rights of callers in the model of one key (C44).
//!
//! Come here when the stamp of claims and entries changes. The steps are those of `reader_steps`.

use crate::lookup::{Lookup, Variant};
use crate::lookup_properties::{OLD_ENTRY, SAME_PROCESS, TWO_PROCESSES, group, key};
use crate::{fails, holds, soaks};

const OTHER_RIGHTS: &str = "no reader gets an answer of other rights";

/// One variant of a resource that belongs to a group too: two records, one of which each write ends. Records vanish
/// without a write only where `SOAK` is set, since there are twenty times as many states then.
fn variant(processes: &'static [u8]) -> Lookup {
    Lookup {
        records: 2,
        vanishes: soaks(),
        ..group(processes)
    }
}

/// An entry of one caller.
fn of_caller(processes: &'static [u8]) -> Lookup {
    Lookup {
        has_rights: true,
        ..key(processes)
    }
}

#[test]
fn c44_no_interleaving_of_two_readers_and_a_writer_serves_an_old_variant() {
    holds(variant(SAME_PROCESS));
    holds(variant(TWO_PROCESSES));
}

#[test]
fn c44_no_interleaving_of_two_readers_and_two_writers_serves_an_old_variant() {
    if soaks() {
        for processes in [SAME_PROCESS, TWO_PROCESSES] {
            holds(Lookup {
                writers: 2,
                ..variant(processes)
            });
        }
    }
}

#[test]
fn c44_with_a_stamp_of_one_record_a_value_that_another_write_ended_is_an_answer() {
    let model = Lookup {
        writers: 2,
        variant: Variant::StampOfOneRecord,
        ..variant(SAME_PROCESS)
    };
    fails(model, OLD_ENTRY);
}

#[test]
fn c44_no_interleaving_gives_a_caller_an_answer_of_other_rights() {
    holds(of_caller(SAME_PROCESS));
    holds(of_caller(TWO_PROCESSES));
    if soaks() {
        holds(Lookup {
            has_rights: true,
            ..variant(TWO_PROCESSES)
        });
    }
}

#[test]
fn c44_a_stamp_without_the_rights_gives_a_demoted_caller_the_old_answer() {
    for processes in [SAME_PROCESS, TWO_PROCESSES] {
        let model = Lookup {
            variant: Variant::StampWithoutRights,
            ..of_caller(processes)
        };
        fails(model, OTHER_RIGHTS);
    }
}
