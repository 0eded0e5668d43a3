//! Mistakes of routes that write: invalidations of keys that no route stores.
//!
//! Come here after adding a check of an invalidation.

use backend::infrastructure::cache::{CachePolicy, Invalidation};
use backend::infrastructure::resource::{Resources, resource};

use super::{ITEM, expect_one, mistakes, reads, write};

/// The reads, and a write at `/writes/{item_id}` with this invalidation.
fn with(invalidation: impl Into<Invalidation>) -> Resources {
    let mut api = reads();
    api.add(
        resource("/writes/{item_id}")
            .patch(write)
            .ends(invalidation),
    );
    api
}

#[test]
fn c47_a_misspelt_argument_of_an_extra_is_no_literal() {
    const TOTAL: CachePolicy = CachePolicy::new("customer_total")
        .resource_id_name("code")
        .shared();
    const WRITE: Invalidation = ITEM
        .to_invalidate_extra(&[("customer_total", "cod")])
        .binds(&["code"]);
    let mut api = with(WRITE);
    api.add(
        resource("/customers/{code}/total")
            .get(super::other)
            .cached(TOTAL),
    );
    expect_one(
        &api,
        &[
            "PATCH /api/writes/{item_id}, policy `item:{item_id}` (backend/tests/cache/map/invalidations.rs:",
            "(\"customer_total\", \"cod\")",
            "`customer_total:{code}`",
            "Is `cod` misspelt, or `code`?",
        ],
    );
}

#[test]
fn c47_a_literal_counts_only_if_a_policy_stores_exactly_that() {
    expect_one(
        &with(ITEM.to_invalidate_extra(&[("item_count", "globl")])),
        &["`globl`", "stored is `item_count:global`"],
    );
}

#[test]
fn c47_a_misspelt_prefix_group_or_pattern_is_found() {
    expect_one(
        &with(ITEM.to_invalidate_extra(&[("item_cont", "global")])),
        &["`item_cont:global`", "did you mean `item_count:global`?"],
    );
    expect_one(
        &with(
            ITEM.to_invalidate_groups(&["item_of_{username}"])
                .binds(&["username"]),
        ),
        &[
            "the group `item_of_{username}`",
            "did you mean `items_of_{username}`?",
        ],
    );
    expect_one(
        &with(ITEM.pattern_to_invalidate_extra(&["itms_of_*"])),
        &[
            "the pattern `itms_of_*`",
            "`items_of_{username}:{username}`",
        ],
    );
}

#[test]
fn c47_the_key_of_the_written_resource_must_be_stored_too() {
    expect_one(
        &with(CachePolicy::new("itm").resource_id_name("item_id")),
        &[
            "no cached route stores `itm:{item_id}`",
            "did you mean `item:{item_id}`?",
        ],
    );
}

#[test]
fn c47_a_name_that_stands_where_the_key_has_an_id_is_found() {
    expect_one(
        &with(
            ITEM.to_invalidate_extra(&[("mine_{username}", "items")])
                .binds(&["username"]),
        ),
        &[
            "`username`",
            "`mine_{caller}:items`",
            "an id and a name",
            "holds the id and whose name ends in `_id`, such as `owner_id`",
        ],
    );
    expect_one(
        &with(
            ITEM.to_invalidate_groups(&["items_of_{owner_id}"])
                .binds(&["owner_id"]),
        ),
        &[
            "`owner_id`",
            "`items_of_{username}`",
            "holds the name and whose own name does not end in `_id`",
        ],
    );
    expect_one(
        &with(
            ITEM.pattern_to_invalidate_extra(&["items_of_{owner_id}:*"])
                .binds(&["owner_id"]),
        ),
        &["`items_of_{owner_id}:*`"],
    );
}

#[test]
fn c47_an_argument_that_no_handler_is_said_to_bind_is_found() {
    expect_one(
        &with(ITEM.to_invalidate_groups(&["items_of_{username}"])),
        &["`username`", "binds(&[\"username\"])"],
    );
    expect_one(
        &with(Invalidation::new().to_invalidate_extra(&[("mine_{caller}", "items")])),
        &["invalidation (backend/tests", "`caller`", "signed_in()"],
    );
}

#[test]
fn c47_an_argument_that_several_templates_need_is_one_mistake() {
    expect_one(
        &with(
            ITEM.to_invalidate_extra(&[("items_of_{username}", "username")])
                .to_invalidate_groups(&["items_of_{username}"]),
        ),
        &["`username`", "binds(&[\"username\"])"],
    );
}

#[test]
fn c47_a_misspelt_name_is_never_offered_as_one_to_declare() {
    for (template, bound) in [
        ("items_of_{usrname}", "username"),
        ("items_of_{username}", "usrname"),
    ] {
        let groups: &'static [&'static str] = Box::leak(Box::new([template]));
        let binds: &'static [&'static str] = Box::leak(Box::new([bound]));
        let found = mistakes(&with(ITEM.to_invalidate_groups(groups).binds(binds)));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(!found[0].contains("binds("), "{found:#?}");
        assert!(
            found[0].ends_with(&format!("misspelt, or `{bound}`?")),
            "{found:#?}"
        );
    }
}

#[test]
fn c47_a_write_in_a_collection_has_no_id_to_infer() {
    let mut api = reads();
    api.add(
        resource("/items")
            .post(write)
            .ends(CachePolicy::new("item").shared()),
    );
    expect_one(&api, &["POST /api/items", "Invalidation::new()"]);
}

#[test]
fn c47_exported_invalidations_of_another_module_are_checked_too() {
    const EXPORTED: Invalidation = Invalidation::new()
        .to_invalidate_groups(&["items_of_{owner}", "nothing"])
        .binds(&["owner"]);
    const WRITE: Invalidation = Invalidation::of(ITEM).also(&[EXPORTED]);
    expect_one(
        &with(WRITE),
        &["policy `item:{item_id}`", "the group `nothing`"],
    );
}

#[test]
fn c47_all_mistakes_are_found_at_once() {
    let mut api = with(
        ITEM.to_invalidate_groups(&["first", "second"])
            .to_invalidate_extra(&[("third", "x")]),
    );
    api.add(
        resource("/other/{item_id}/x")
            .get(super::other)
            .cached(ITEM),
    )
    .add(resource("/mine").get(super::other));
    let found = mistakes(&api);
    assert_eq!(found.len(), 5, "{found:#?}");
    for named in [
        "`first`",
        "`second`",
        "`third:x`",
        "/api/other",
        "/api/mine",
    ] {
        let lines = found.iter().filter(|line| line.contains(named)).count();
        assert_eq!(lines, 1, "{named} in {found:#?}");
    }
}
