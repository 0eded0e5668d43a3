//! The cache's protocol, explored in every order that its steps can come in.
//!
//! Tests with real servers meet a few orders of events; these models meet all of them, for a few
//! readers and writers. They are small copies of the protocol, to be changed together with it.
//! The larger ones run where `SOAK` is set.
//!
//! # One key, alone, in groups, or one caller's (`lookup`, `reader`)
//!
//! Readers make one request after another without end, writers write once each. Steps:
//!
//! | step | in the code |
//! |---|---|
//! | `LookAtKey`, `LookAtRecord` | the parts of `look`, in any order, and what `decide` or `wait_for_other_instance` makes of them |
//! | `BeginRecord`, `ReadRecord` | `begin_record`: set the generation if absent, else read what another set |
//! | `Claim` | `claim`: register the flight, compare-and-set the claim in place of what was seen |
//! | `JoinOrWait` | `find` and `join` of the flight of a claim that was seen, else `wait_for_other_instance` |
//! | `Read` | the handler reads the database, and `land` |
//! | `Fill` | `store`: compare-and-set the entry in place of exactly the claim (or the entry that is refreshed) |
//! | `GiveUp` | `give_up`, `release` |
//! | `Refresh`, `Cover` | `refresh` or `join_refresh`; `cover` with `still_holds` |
//! | `RunAlone` | a wait that is over: the handler runs and nothing is stored |
//! | `Crash` | the reader dies; its claim stays |
//! | `Commit`, `Delete` | a write's transaction; `invalidate` and then, in the same step, the acknowledgement |
//! | `ChangeRights` | another version of the caller's rights in the database; requests that begin later are authenticated with it |
//! | `KeyVanishes`, `RecordVanishes` | expiry, eviction, a pattern, `redis-cli DEL`: at any moment, any number of times |
//!
//! # An outage (`outage`, `instance`)
//!
//! Two instances, each with a breaker, a supervisor and one reader that fills; a backend that fails
//! once; one process that ends. What a reader that begins now would be given is a property of the state, so
//! no reader does that. Steps:
//!
//! | step | in the code |
//! |---|---|
//! | `FailOperation`, `OpenBreaker` | what `observe` makes of the first failures, and of the third |
//! | `Delete`, `Keep` | `invalidate` where it is delivered, or kept, and the acknowledgement |
//! | `Distrust` | `distrust_everything`, whose wait is over when the other instance has confirmed or its lease has ended |
//! | `Recover` | `recover` up to where deletions are sent again |
//! | `SetGeneration`, `Deliver`, `FailRecovery` | the rest of `recover` |
//! | `Join`, `Confirm`, `StrikeOff` | visits of the record: the first one of a process, from each of the three states, and without the dead |
//! | `LeaseEnds` | nothing was confirmed for the time of the lease |
//! | `Die`, `Leave` | a process is killed, or leaves; the next one starts |
//! | `Look`, `Claim`, `Read`, `Fill` | as above; the fill does not ask whether the instance is ready, since it may have been long on its way |
//!
//! Time is not modelled. What the code takes it for is: an instance that does not answer a roll call within its
//! grace is struck off, which here only happens to a dead one (`breaker/intervals.rs` says why that is so while
//! the backend can be reached). An instance that never met the outage may serve what another could not delete
//! until that one is back, as the contract says.
//!
//! # Not modelled
//!
//! A writer that dies between its commit and its deletion, and handlers that take longer than a claim
//! lives (nothing is promised); an instance that alone is cut off, and a second outage before all have
//! recovered from the first; several connections of an instance, of which some are lost and some are
//! not; patterns; a record that the server loses; writes of a process that has not joined yet; groups, or distrust of everything, together with outages; CAS numbers that come back after a restart of
//! Memcached; the near cache; values stored by hand through the provider.

mod ids;
mod instance;
mod lookup;
mod outage;
mod reader;
mod reader_steps;
mod stored;
mod variants;

use std::env;
use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model};

use lookup::{Lookup, Variant};
use outage::{End, Fault, Lack, Outage};

const OLD_ENTRY: &str = "no entry that is an answer is old";
const OLD_ANSWER: &str = "nobody is given an old answer";
const OLD_AFTER_OUTAGE: &str = "no instance that met the outage gives an old answer";
const OLD_WHEN_DELIVERED: &str = "nobody gives an old answer once all is delivered";
const OLD_THOUGH_WELL: &str = "nobody gives an old answer while all is well";

const SAME_PROCESS: &[u8] = &[0, 0];
const TWO_PROCESSES: &[u8] = &[0, 1];

fn soaks() -> bool {
    env::var_os("SOAK").is_some()
}

/// Explores all of the model; what may never be never is, and what must be possible is.
fn holds<M>(model: M)
where
    M: Model + Debug + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let shown = format!("{model:?}");
    let checker = model.checker().spawn_bfs().join();
    println!("{} states: {shown}", checker.unique_state_count());
    checker.assert_properties();
}

/// Finds what may never be: the model can fail.
fn fails<M>(model: M, property: &'static str)
where
    M: Model + Debug + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let shown = format!("{model:?}");
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = model.checker().finish_when(found).spawn_bfs().join();
    let path = checker.assert_any_discovery(property);
    println!("{property}: {:?} by {shown}", path.into_actions());
}

fn key(processes: &'static [u8]) -> Lookup {
    Lookup {
        processes,
        writers: 1,
        records: 0,
        has_rights: false,
        vanishes: true,
        refreshes: true,
        variant: Variant::Told,
    }
}

fn group(processes: &'static [u8]) -> Lookup {
    Lookup {
        records: 1,
        refreshes: false,
        ..key(processes)
    }
}

fn outage(fault: Fault) -> Outage {
    Outage {
        writers: if soaks() { 2 } else { 1 },
        fault,
        overflows: false,
        distrusts: false,
        ends: None,
        lacks: None,
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
fn c33_a_fill_that_does_not_ask_for_its_claim_stores_old_values() {
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
fn c38_a_refresh_that_does_not_ask_for_the_entry_it_saw_brings_back_what_was_deleted() {
    let model = Lookup {
        variant: Variant::RefreshUnconditionally,
        ..key(SAME_PROCESS)
    };
    fails(model, OLD_ENTRY);
}

#[test]
fn c34_a_request_that_joins_a_flight_whose_claim_it_did_not_see_is_given_an_old_value() {
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
fn c36_a_claim_without_the_groups_generation_lets_requests_join_a_flight_from_before_a_write() {
    let model = Lookup {
        variant: Variant::ClaimWithoutGeneration,
        ..group(SAME_PROCESS)
    };
    fails(model, OLD_ANSWER);
}

/// The group's record may vanish between the two steps of `group_stamp`, and the claim is then made
/// without a generation. It must not stand for those who find no record either: a write may have
/// been what ended it.
#[test]
fn c36_a_claim_without_a_generation_must_not_stand_while_the_group_has_none() {
    let model = Lookup {
        variant: Variant::AbsentGenerationsMatch,
        ..group(SAME_PROCESS)
    };
    fails(model, OLD_ANSWER);
}

#[test]
fn c33_no_instance_serves_an_old_value_while_the_backend_is_well() {
    holds(Outage {
        writers: 2,
        ..outage(Fault::Healthy)
    });
}

#[test]
fn c35_no_instance_that_met_an_outage_serves_what_another_could_not_delete() {
    holds(outage(Fault::Silent));
    holds(outage(Fault::Cut));
}

#[test]
fn c35_no_instance_serves_what_another_could_not_even_keep() {
    let overflows = true;
    holds(Outage {
        overflows,
        ..outage(Fault::Silent)
    });
    holds(Outage {
        overflows,
        ..outage(Fault::Cut)
    });
}

#[test]
fn c35_no_instance_serves_the_snapshot_of_a_restarted_server() {
    holds(outage(Fault::Restart));
}

#[test]
fn c35_without_a_roll_call_a_recovered_instance_serves_what_another_still_owes() {
    let model = Outage {
        lacks: Some(Lack::RollCall),
        ..outage(Fault::Silent)
    };
    fails(model, OLD_AFTER_OUTAGE);
}

#[test]
fn c35_without_a_new_generation_deletions_that_could_not_be_kept_are_lost() {
    let model = Outage {
        overflows: true,
        lacks: Some(Lack::NewGeneration),
        ..outage(Fault::Silent)
    };
    fails(model, OLD_WHEN_DELIVERED);
}

#[test]
fn c35_deletions_that_are_forgotten_leave_old_values_for_good() {
    let model = Outage {
        lacks: Some(Lack::Undelivered),
        ..outage(Fault::Silent)
    };
    fails(model, OLD_WHEN_DELIVERED);
}

#[test]
fn c35_without_the_servers_identity_its_old_snapshot_is_served() {
    let model = Outage {
        lacks: Some(Lack::Identity),
        ..outage(Fault::Restart)
    };
    fails(model, OLD_WHEN_DELIVERED);
}

/// An instance that goes on keeping deletions when it has delivered the others does so for longer
/// than another waits for.
#[test]
fn c35_deletions_that_are_kept_while_others_are_delivered_come_too_late() {
    let model = Outage {
        writers: 2,
        lacks: Some(Lack::DeletionsWhileDelivering),
        ..outage(Fault::Cut)
    };
    fails(model, OLD_AFTER_OUTAGE);
}

#[test]
fn c35_without_a_roll_call_after_a_single_failure_an_instance_serves_what_another_still_owes() {
    let model = Outage {
        lacks: Some(Lack::RollCallAfterDoubt),
        ..outage(Fault::Cut)
    };
    fails(model, OLD_AFTER_OUTAGE);
}

#[test]
fn c58_a_process_that_starts_serves_nothing_that_the_one_before_it_owed() {
    for ends in [End::Dies, End::Leaves] {
        for fault in [Fault::Cut, Fault::Silent, Fault::Restart] {
            if fault == Fault::Cut || soaks() {
                holds(Outage {
                    writers: 1,
                    ends: Some(ends),
                    ..outage(fault)
                });
            }
        }
    }
}

#[test]
fn c58_a_process_that_trusts_the_backend_at_its_start_serves_what_the_one_before_it_owed() {
    for lacks in [Lack::RollCallAtStart, Lack::NewGenerationForTheDead] {
        let model = Outage {
            ends: Some(End::Dies),
            lacks: Some(lacks),
            ..outage(Fault::Cut)
        };
        fails(model, OLD_AFTER_OUTAGE);
    }
}

/// A frozen instance: the others go on without it, and it wakes up with what it trusted.
#[test]
fn c58_without_a_lease_a_frozen_instance_serves_what_was_distrusted_meanwhile() {
    let model = Outage {
        distrusts: true,
        lacks: Some(Lack::Lease),
        ..outage(Fault::Healthy)
    };
    fails(model, OLD_THOUGH_WELL);
}

/// A write that would have to delete more keys than are deleted one by one waits for the others, who
/// hear of the new generation when they next confirm it.
#[test]
fn c33_distrusting_the_namespace_instead_of_deleting_leaves_no_old_value_on_any_instance() {
    let model = Outage {
        writers: 2,
        distrusts: true,
        ..outage(Fault::Healthy)
    };
    holds(model);
    fails(
        Outage {
            lacks: Some(Lack::WaitAfterDistrust),
            ..model
        },
        OLD_THOUGH_WELL,
    );
}
