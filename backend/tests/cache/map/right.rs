//! Correct declarations.
//!
//! Come here when a correct declaration is reported as a mistake.

use backend::infrastructure::cache::{CachePolicy, Invalidation};
use backend::infrastructure::http::PageQuery;
use backend::infrastructure::resource::{Resources, resource};

use super::{COUNT, ITEM, LIST, MINE, list, mistakes, read, reads, write};

#[test]
fn c47_the_map_of_the_template_has_no_mistakes() {
    let map = backend::interfaces::map();
    assert_eq!(map.mistakes(Some(&["default"])), Vec::<String>::new());
    assert!(map.routes().len() > 15, "all modules are in the map");
}

#[test]
fn c47_writes_that_name_stored_keys_are_accepted() {
    const ALL: Invalidation = ITEM
        .to_invalidate_extra(&[
            ("item_count", "global"),
            ("items_of_{owner}", "owner"),
            ("mine_{user_id}", "items"),
        ])
        .to_invalidate_groups(&["items_of_{owner}"])
        .pattern_to_invalidate_extra(&["items_of_{owner}:*", "item*"])
        .binds(&["owner", "user_id"]);
    const CREATE: Invalidation = Invalidation::new()
        .to_invalidate_extra(&[("item_count", "global")])
        .also(&[ALL]);
    let mut api = reads();
    api.add(
        resource("/writes/{item_id}")
            .patch(write)
            .signed_in()
            .ends(ALL)
            .delete(write)
            .ends(ITEM),
    )
    .add(resource("/creates/{item_id}").post(write).ends(CREATE))
    .add(
        resource("/bound")
            .post(write)
            .ends(ITEM.binds(&["item_id"])),
    )
    .add(resource("/me").patch(write).signed_in().ends(MINE));
    assert_eq!(mistakes(&api), Vec::<String>::new());
}

#[test]
fn c47_arguments_come_from_the_declared_query_too() {
    const PAGES: CachePolicy =
        CachePolicy::new("pages_of_{username}:page_{page}:size_{items_per_page}")
            .resource_id_name("username")
            .query::<PageQuery>()
            .group("pages_{query_hash}")
            .shared();
    let mut api = Resources::under("");
    api.add(resource("/users/{username}/pages").get(list).cached(PAGES));
    assert_eq!(mistakes(&api), Vec::<String>::new());
}

#[test]
fn c47_one_handler_may_be_reached_by_two_paths() {
    let mut api = reads();
    api.add(resource("/things/{item_id}").get(read).cached(ITEM));
    assert_eq!(mistakes(&api), Vec::<String>::new());
}

#[test]
fn c47_keys_that_services_store_may_be_invalidated() {
    const REPORT: CachePolicy = CachePolicy::new("report").resource_id("weekly");
    let write = || {
        resource("/reports")
            .post(write)
            .ends(Invalidation::of(REPORT))
    };
    let mut api = Resources::under("");
    api.add(write());
    assert_eq!(mistakes(&api).len(), 1);
    let mut api = Resources::under("");
    api.stored_by_services(REPORT).add(write());
    assert_eq!(mistakes(&api), Vec::<String>::new());
}

#[test]
fn c07_an_id_is_inferred_from_the_path_of_each_route() {
    const INFERRED: CachePolicy = CachePolicy::new("inferred").shared();
    let mut api = Resources::under("");
    api.add(
        resource("/shelves/{shelf}/books/{book_id}")
            .get(read)
            .cached(INFERRED)
            .delete(write)
            .ends(INFERRED),
    );
    assert_eq!(mistakes(&api), Vec::<String>::new());
    assert_eq!(
        api.map().rows()[0].key.as_deref(),
        Some("inferred:{book_id}")
    );
}

#[test]
fn c47_the_map_contains_the_declarations() {
    const WRITE: Invalidation = ITEM
        .to_invalidate_extra(&[("item_count", "global"), ("items_of_{owner}", "owner")])
        .to_invalidate_groups(&["items_of_{owner}"])
        .pattern_to_invalidate_extra(&["item*"])
        .binds(&["owner"]);
    let mut api = Resources::under("/api");
    api.add(
        resource("/items/{item_id}")
            .get(read)
            .cached(ITEM.expiration(60))
            .delete(write)
            .superuser()
            .ends(WRITE),
    )
    .add(resource("/lists/{username}").get(list).cached(LIST));
    let rows = api.map().rows();
    assert_eq!(
        (
            rows[0].method.as_str(),
            rows[0].path.as_str(),
            rows[0].caller
        ),
        ("GET", "/api/items/{item_id}", "anyone")
    );
    assert_eq!(
        (rows[0].key.as_deref(), rows[0].expiration, rows[0].audience),
        (Some("item:{item_id}"), Some(60), Some("shared"))
    );
    assert_eq!((rows[1].caller, rows[1].cached), ("superuser", false));
    assert_eq!(
        rows[1].invalidates.keys,
        ["item_count:global", "items_of_{owner}:{owner}"]
    );
    assert_eq!(rows[1].invalidates.groups, ["items_of_{owner}"]);
    assert_eq!(rows[1].invalidates.patterns, ["item*"]);
    assert_eq!(rows[2].group, Some("items_of_{username}"));
    let table = api.map().table();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("METHOD  PATH"), "{table}");
    let parts = [
        "DELETE",
        "superuser",
        "item:{item_id}, item_count:global",
        "pattern item*",
    ];
    assert!(parts.iter().all(|part| lines[2].contains(part)), "{table}");
    assert!(lines[3].contains("default"), "{table}");
}

#[test]
fn c47_count_and_item_are_different_keys() {
    let mut api = Resources::under("");
    api.add(resource("/count").get(list).cached(COUNT))
        .add(resource("/{item_id}").get(read).cached(ITEM));
    assert_eq!(mistakes(&api), Vec::<String>::new());
}
