//! Properties of instances with different lists of servers that hold in every order of their steps, and properties that
//! fail when a step is removed.
//!
//! Come here to add a property. The steps are in `lists`.

use crate::lists::{Lists, OLD};
use crate::lists_state::Lack;
use crate::{fails, holds, soaks};

const LISTS: Lists = Lists {
    writes: 1,
    starts: [2, 1],
    lacks: None,
};

#[test]
fn c61_instances_with_different_lists_give_no_old_answer() {
    let starts: &[[u8; 2]] = if soaks() {
        &[[2, 2]]
    } else {
        &[[2, 1], [1, 2]]
    };
    for starts in starts.iter().copied() {
        holds(Lists { starts, ..LISTS });
    }
}

#[test]
fn c61_without_the_distrust_of_everything_entries_from_before_are_served_when_the_other_list_has_left()
 {
    fails_without(Lack::Distrust);
}

#[test]
fn c61_without_a_wait_at_the_start_the_first_write_precedes_the_distrust() {
    fails_without(Lack::WaitAtStart);
}

#[test]
fn c61_without_the_list_of_a_generation_a_list_in_between_is_not_noticed() {
    fails_without(Lack::ListOfGeneration);
}

#[test]
fn c61_without_the_list_of_a_new_generation_a_frozen_instance_does_not_notice_the_other_list() {
    fails_without(Lack::ListOfNewGeneration);
}

#[test]
fn c61_a_frozen_instance_must_ask_every_server_before_it_trusts_one() {
    fails_without(Lack::LeaseOfAll);
}

fn fails_without(lack: Lack) {
    let lacks = Some(lack);
    fails(Lists { lacks, ..LISTS }, OLD);
}
