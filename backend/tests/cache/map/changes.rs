//! Mistakes of changes that come from outside: keys, groups and arguments that nothing stores or carries.
//!
//! Come here after adding a check of a declared change.

use actix_web::HttpResponse;
use backend::infrastructure::cache::{CacheMap, CachePolicy, Changes, Invalidation};
use backend::infrastructure::resource::resource;

use super::{ITEM, LIST, reads};

const LISTED: Invalidation = ITEM.to_invalidate_groups(&["items_of_{owner}"]);
/// The same item, whose id is inferred among the arguments, as in a path.
const INFERRED: Invalidation = Invalidation::of(CachePolicy::new("item"));
const ALL_OF_USER: Invalidation = Invalidation::of(LIST);

/// The mistakes of the reads and of these changes.
fn mistakes(changes: &[Changes]) -> Vec<String> {
    reads()
        .map()
        .with_changes(changes)
        .mistakes(Some(&["default"]))
}

#[track_caller]
fn expect_one(changes: Changes, parts: &[&str]) {
    let found = mistakes(&[changes]);
    assert_eq!(found.len(), 1, "{found:#?}");
    let place = "changes of `items` (backend/tests/cache/map/changes.rs:";
    for part in [&[place], parts].concat() {
        assert!(found[0].contains(part), "`{part}` in {}", found[0]);
    }
}

fn items(arguments: &'static [&'static str], ends: &'static [Invalidation]) -> Changes {
    Changes::of("items").with(arguments).ends(ends)
}

#[test]
fn c47_changes_that_end_what_is_stored_are_right() {
    let right = [
        items(&["item_id", "owner"], &[LISTED]),
        items(&["owner", "item_id"], &[INFERRED, LISTED]),
    ];
    assert_eq!(mistakes(&right), Vec::<String>::new());
}

#[test]
fn c47_a_misspelt_key_group_or_pattern_of_a_change_is_found() {
    const KEY: Invalidation = Invalidation::new().to_invalidate_extra(&[("itm", "item_id")]);
    const GROUP: Invalidation = Invalidation::new().to_invalidate_groups(&["item_of_{owner}"]);
    const PATTERN: Invalidation =
        Invalidation::new().pattern_to_invalidate_extra(&["itemz_of_{owner}:*"]);
    expect_one(
        items(&["item_id"], &[KEY]),
        &["`itm:{item_id}`", "did you mean `item:{item_id}`?"],
    );
    expect_one(
        items(&["owner"], &[GROUP]),
        &["no cached route stores the group `item_of_{owner}`"],
    );
    expect_one(items(&["owner"], &[PATTERN]), &["`itemz_of_{owner}:*`"]);
}

#[test]
fn c47_a_policy_that_no_route_reads_ends_nothing() {
    const GADGET: CachePolicy = CachePolicy::new("gadget").resource_id_name("item_id");
    const ENDS: Invalidation = Invalidation::of(GADGET);
    expect_one(items(&["item_id"], &[ENDS]), &["`gadget:{item_id}`"]);
}

/// A handler would bind it. A change has none, so what `binds` names does not count.
#[test]
fn c47_an_argument_that_changes_do_not_carry_is_found() {
    const BOUND: Invalidation = ITEM
        .to_invalidate_groups(&["items_of_{owner}"])
        .binds(&["owner"]);
    expect_one(
        items(&["item_id"], &[BOUND]),
        &[
            "the argument `owner`, which a change of this kind does not have; it has `item_id`",
            "with(&[\"owner\"])",
        ],
    );
}

#[test]
fn c47_a_misspelt_argument_of_a_change_is_found_on_both_sides() {
    let found = mistakes(&[items(&["item_id", "ower"], &[LISTED])]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].contains("needs the argument `owner`")
            && found[0].contains("Is `owner` misspelt, or `ower`?")
    );
    assert!(found[1].contains("`ower`, which nothing that they end is made of"));
}

#[test]
fn c47_changes_that_end_nothing_are_found() {
    expect_one(items(&["item_id"], &[]), &["they end nothing"]);
    expect_one(
        items(&["username", "item_id"], &[ALL_OF_USER]),
        &["`item_id`, which nothing that they end is made of"],
    );
}

/// A map of the reads, of these changes, and of a write that leaves its invalidations to the feed.
fn map_with_a_recorded_write(changes: &[Changes]) -> CacheMap {
    const RECORDED: &[Changes] = &[Changes::of("items")
        .with(&["item_id", "owner"])
        .ends(&[LISTED])];
    let mut api = reads();
    api.add(
        resource("/recorded/{item_id}")
            .patch(HttpResponse::NoContent)
            .changes(RECORDED),
    );
    api.map().with_changes(changes)
}

#[test]
fn c47_the_map_shows_what_the_recorded_changes_of_a_write_end() {
    let delivered = items(&["item_id", "owner"], &[LISTED]);
    let map = map_with_a_recorded_write(&[delivered]);
    assert_eq!(map.mistakes(Some(&["default"])), Vec::<String>::new());
    let rows = map.rows();
    let row = rows
        .iter()
        .find(|row| row.path.ends_with("/recorded/{item_id}"));
    let ends = &row.unwrap().invalidates;
    assert_eq!(ends.keys, ["item:{item_id}"]);
    assert_eq!(ends.groups, ["items_of_{owner}"]);
}

#[test]
fn c47_the_map_shows_an_argument_of_recorded_changes_as_one() {
    const TOTAL: Invalidation = Invalidation::new().to_invalidate_extra(&[("total", "room")]);
    const CHANGES: &[Changes] = &[Changes::of("items").with(&["room"]).ends(&[TOTAL])];
    let mut api = reads();
    let write = resource("/recorded/{item_id}").patch(HttpResponse::NoContent);
    api.add(write.changes(CHANGES));
    let rows = api.map().rows();
    let row = rows
        .iter()
        .find(|row| row.path.ends_with("/recorded/{item_id}"));
    assert_eq!(row.unwrap().invalidates.keys, ["total:{room}"]);
}

#[test]
fn c54_a_write_whose_changes_nobody_delivers_is_found() {
    let found = map_with_a_recorded_write(&[]).mistakes(Some(&["default"]));
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in [
        "PATCH ",
        "/recorded/{item_id}",
        "changes of `items`",
        "list them in changes()",
    ] {
        assert!(found[0].contains(part), "`{part}` in {}", found[0]);
    }
    let delivered = items(&["item_id", "owner"], &[LISTED]);
    let found = map_with_a_recorded_write(&[delivered]).mistakes_without_feed();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("CACHE_DATABASE_FEED=false"), "{found:#?}");
}
