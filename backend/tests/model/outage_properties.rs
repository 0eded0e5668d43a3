//! Properties of an outage that hold in every order of its steps, and properties that fail when a step
//! is removed.
//!
//! Come here to add a property of an outage. The steps are in `outage`, `writer`, `instance` and
//! `filler`.

use crate::outage::{End, Fault, Lack, Outage};
use crate::{fails, holds, soaks};

const OLD_AFTER_OUTAGE: &str = "no instance that saw the outage gives an old answer";
const OLD_WHEN_DELIVERED: &str =
    "no instance gives an old answer after all deletions are delivered";
const OLD_WITHOUT_FAULT: &str = "no instance gives an old answer without a fault";

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
fn c33_no_instance_serves_an_old_value_without_a_fault() {
    holds(Outage {
        writers: 2,
        ..outage(Fault::Healthy)
    });
}

#[test]
fn c35_no_instance_that_saw_an_outage_serves_a_value_that_another_could_not_delete() {
    holds(outage(Fault::Silent));
    holds(outage(Fault::Cut));
}

#[test]
fn c35_no_instance_serves_a_value_whose_deletion_another_could_not_keep() {
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
fn c35_without_a_roll_call_a_recovered_instance_serves_a_value_whose_deletion_is_pending_elsewhere()
{
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
fn c35_dropped_deletions_leave_old_values_forever() {
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

/// An instance that keeps deletions while it delivers the others keeps them for longer than another instance
/// waits.
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
fn c35_without_a_roll_call_after_one_failure_an_instance_serves_a_value_whose_deletion_is_pending_elsewhere()
 {
    let model = Outage {
        lacks: Some(Lack::RollCallAfterDoubt),
        ..outage(Fault::Cut)
    };
    fails(model, OLD_AFTER_OUTAGE);
}

#[test]
fn c58_a_process_that_starts_serves_no_value_whose_deletion_was_pending_in_the_process_before_it() {
    for ends in [End::Killed, End::Leaves] {
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
fn c58_a_process_that_trusts_the_backend_at_its_start_serves_values_whose_deletions_were_pending() {
    for lacks in [Lack::RollCallAtStart, Lack::NewGenerationForTheDead] {
        let model = Outage {
            ends: Some(End::Killed),
            lacks: Some(lacks),
            ..outage(Fault::Cut)
        };
        fails(model, OLD_AFTER_OUTAGE);
    }
}

/// A frozen instance: the others continue without it, and afterwards it has the generation from before.
#[test]
fn c58_without_a_lease_a_frozen_instance_serves_values_that_were_distrusted_meanwhile() {
    let model = Outage {
        distrusts: true,
        lacks: Some(Lack::Lease),
        ..outage(Fault::Healthy)
    };
    fails(model, OLD_WITHOUT_FAULT);
}

/// A write with more keys than are deleted one by one sets a new generation instead, and waits until the other
/// instances have confirmed it.
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
        OLD_WITHOUT_FAULT,
    );
}
