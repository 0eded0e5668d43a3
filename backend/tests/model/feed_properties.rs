//! What holds in the model of the database feed, and each step without which it does not.
//!
//! Come here after changing the protocol of `database_feed`. A step that can be left out without a counterexample is not
//! needed, or the model lacks what it is for.

use crate::feed::{Feed, Lack};
use crate::{fails, fails_late, holds, soaks};

const STALE: &str = "no answer is from before an acknowledged write";
const LOST: &str = "an entry from before a change stands only while the change is in the table";

const fn feed(writers: usize, kills: bool, cut_offs: usize) -> Feed {
    Feed {
        writers,
        kills,
        cut_offs,
        lacks: None,
    }
}

fn lacking(model: Feed, lack: Lack) -> Feed {
    Feed {
        lacks: Some(lack),
        ..model
    }
}

#[test]
fn c54_writes_of_two_instances_and_by_hand_are_delivered_before_their_answers() {
    holds(feed(3, false, 0));
}

#[test]
fn c53_a_kill_at_any_moment_loses_no_change() {
    holds(feed(if soaks() { 3 } else { 2 }, true, 0));
}

#[test]
fn c54_an_instance_that_is_cut_off_is_answered_after_the_delivery_by_another() {
    holds(feed(if soaks() { 3 } else { 2 }, soaks(), 1));
}

#[test]
fn c55_a_cache_that_every_instance_lost_is_trusted_without_old_entries() {
    holds(feed(if soaks() { 3 } else { 2 }, false, 2));
}

#[test]
fn c54_with_skip_locked_a_write_is_answered_before_its_entry_is_gone() {
    fails(lacking(feed(3, false, 0), Lack::WaitForTakenRows), STALE);
}

#[test]
fn c54_rows_that_are_removed_before_their_delivery_are_lost_by_a_kill() {
    fails(lacking(feed(2, true, 0), Lack::RemovalAfterDelivery), LOST);
}

#[test]
fn c53_removal_up_to_a_number_loses_rows_that_become_visible_late() {
    fails(lacking(feed(3, false, 0), Lack::RemovalByRow), LOST);
}

#[test]
fn c54_a_write_that_joins_a_pass_under_way_is_answered_too_early() {
    fails(lacking(feed(3, false, 0), Lack::PassAfterCommit), STALE);
}

#[test]
fn c54_an_instance_that_is_cut_off_and_does_not_wait_leaves_others_stale() {
    fails(lacking(feed(2, false, 1), Lack::WaitForOthers), STALE);
}

#[test]
fn c54_an_instance_that_has_waited_in_vain_once_looks_before_it_answers_at_once() {
    let model = feed(3, false, 2);
    fails_late(lacking(model, Lack::LookAfterWaitingInVain), STALE);
}

#[test]
fn c55_trust_while_changes_from_before_are_in_the_table_is_stale() {
    fails(lacking(feed(2, false, 2), Lack::DeliveryBeforeTrust), STALE);
}

#[test]
#[ignore = "searches for more than four minutes: run by ./scripts/test soak"]
fn c55_trust_after_a_single_pass_misses_a_write_that_was_answered_meanwhile() {
    let model = feed(3, false, 2);
    fails_late(lacking(model, Lack::SecondPassBeforeTrust), STALE);
}
