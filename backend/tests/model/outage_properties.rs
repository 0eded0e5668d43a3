//! Properties of an outage that hold in every order of its steps, and properties that fail when a step
//! is taken away.
//!
//! Come here to add a property of an outage. The steps are in `outage`, `writer`, `instance` and
//! `filler`.

use crate::outage::{End, Fault, Lack, Outage};
use crate::{fails, holds, soaks};

const OLD_AFTER_OUTAGE: &str = "no instance that met the outage gives an old answer";
const OLD_WHEN_DELIVERED: &str = "nobody gives an old answer once all is delivered";
const OLD_THOUGH_WELL: &str = "nobody gives an old answer while all is well";

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
