//! Mistakes of routes that read, and of declarations by themselves.
//!
//! Come here after adding a check of a read.

use actix_web::HttpResponse;
use backend::infrastructure::auth::Caller;
use backend::infrastructure::cache::{CachePolicy, Invalidation};
use backend::infrastructure::http::{PageQuery, Query};
use backend::infrastructure::resource::{Resources, resource};
use serde::{Deserialize, Serialize};

use super::{ITEM, LIST, MINE, expect_one, list, mistakes, other, read, reads, write};

async fn of_caller(_: Caller) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn paged(_: Query<PageQuery>) -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[test]
fn c47_an_argument_without_a_source_is_named_with_the_one_that_was_meant() {
    let mut api = Resources::under("/api");
    api.add(resource("/items/{itemid}").get(read).cached(ITEM));
    expect_one(
        &api,
        &[
            "GET /api/items/{itemid}, policy `item:{item_id}` (backend/tests/cache/map/mod.rs:",
            "needs the argument `item_id`",
            "it has `itemid`. Is `item_id` misspelt, or `itemid`?",
        ],
    );
}

#[test]
fn c47_a_group_needs_its_arguments_too() {
    const GROUPED: CachePolicy = ITEM.group("items_of_{tenant}");
    let mut api = Resources::under("");
    api.add(resource("/items/{item_id}").get(read).cached(GROUPED));
    expect_one(&api, &["`items_of_{tenant}`", "`tenant`"]);
    let mut api = Resources::under("");
    let bound = GROUPED.binds(&["tenant"]);
    api.add(resource("/items/{item_id}").get(read).cached(bound));
    assert_eq!(mistakes(&api), Vec::<String>::new());
}

#[test]
fn c07_a_path_without_an_id_has_none_to_infer() {
    let mut api = Resources::under("");
    api.add(
        resource("/items")
            .get(read)
            .cached(CachePolicy::new("items").shared()),
    );
    expect_one(
        &api,
        &["GET /items", "no resource id to infer", "resource_id"],
    );
}

#[test]
fn c45_an_entry_for_each_caller_needs_a_caller() {
    let mut api = Resources::under("");
    api.add(resource("/mine").get(read).cached(MINE));
    expect_one(&api, &["GET /mine", "`caller`", "signed_in()"]);
    let mut api = Resources::under("");
    api.add(
        resource("/mine")
            .get(read)
            .cached(MINE.group("mine_{caller}")),
    );
    expect_one(&api, &["GET /mine", "`caller`", "signed_in()"]);
    let mut api = Resources::under("");
    api.add(
        resource("/items/{item_id}")
            .get(read)
            .cached(ITEM.per_caller()),
    );
    expect_one(&api, &["per_caller()", "`caller`", "signed_in()"]);
}

#[test]
fn c45_a_handler_that_takes_a_caller_needs_one_before_the_cache() {
    let mut api = Resources::under("");
    api.add(resource("/items/{item_id}").get(of_caller).cached(ITEM));
    expect_one(&api, &["takes a caller", "signed_in()"]);
    // The key needs the caller too: one mistake is one line.
    let mut api = Resources::under("");
    api.add(
        resource("/mine")
            .get(of_caller)
            .cached(MINE.group("mine_{caller}")),
    );
    expect_one(&api, &["takes a caller", "signed_in()"]);
    let mut api = Resources::under("");
    api.add(
        resource("/items/{item_id}")
            .get(of_caller)
            .signed_in()
            .cached(ITEM.per_caller()),
    );
    assert_eq!(mistakes(&api), Vec::<String>::new());
}

#[test]
fn c13_signed_in_callers_are_never_cached_where_nothing_says_who_shares_an_answer() {
    let unspecified = CachePolicy::new("item").resource_id_name("item_id");
    let mut api = Resources::under("");
    api.add(
        resource("/items/{item_id}")
            .get(read)
            .signed_in()
            .cached(unspecified),
    );
    expect_one(&api, &["never cached", "shared()", "per_caller()"]);
}

#[test]
fn c14_the_policy_declares_the_query_that_the_handler_reads() {
    #[derive(Deserialize, Serialize)]
    struct OtherQuery {
        q: String,
    }
    let mut api = Resources::under("");
    api.add(resource("/items/{item_id}").get(paged).cached(ITEM));
    expect_one(&api, &["reads the query", "query::<PageQuery>()"]);
    let mut api = Resources::under("");
    api.add(
        resource("/items/{item_id}")
            .get(paged)
            .cached(ITEM.query::<OtherQuery>()),
    );
    expect_one(&api, &["PageQuery", "OtherQuery"]);
}

#[test]
fn c47_two_reads_with_one_key_are_refused() {
    let mut api = reads();
    api.add(resource("/items/{item_id}/history").get(other).cached(ITEM));
    expect_one(
        &api,
        &[
            "GET /api/items/{item_id}/history",
            "GET /api/items/{item_id} too",
            "key_prefix",
        ],
    );
}

#[test]
fn c47_two_reads_whose_keys_can_be_the_same_are_refused() {
    const SPECIAL: CachePolicy = CachePolicy::new("items_of_ada").resource_id("ada").shared();
    let mut api = Resources::under("");
    api.add(resource("/ada").get(other).cached(SPECIAL))
        .add(resource("/{username}").get(list).cached(LIST));
    expect_one(
        &api,
        &["`items_of_{username}:{username}`", "`items_of_ada:ada`"],
    );
    let mut api = Resources::under("");
    api.add(
        resource("/ada")
            .get(other)
            .cached(SPECIAL.backend_name("second")),
    )
    .add(resource("/{username}").get(list).cached(LIST));
    assert_eq!(
        api.mistakes(Some(&["default", "second"])),
        Vec::<String>::new()
    );
}

#[test]
fn c22_a_backend_that_is_not_registered_is_named() {
    let mut api = Resources::under("");
    api.add(
        resource("/items/{item_id}")
            .get(read)
            .cached(ITEM.backend_name("secnd"))
            .delete(write)
            .ends(ITEM.backend_name("secnd")),
    );
    let found = api.mistakes(Some(&["default", "second"]));
    assert_eq!(found.len(), 2, "{found:#?}");
    for mistake in found {
        assert!(mistake.contains("`secnd` is not registered"), "{mistake}");
        assert!(mistake.contains("did you mean `second`?"), "{mistake}");
    }
    assert_eq!(api.mistakes(None), Vec::<String>::new(), "the cache is off");
}

#[test]
fn a_declaration_that_is_wrong_by_itself_is_refused() {
    for (api, part) in [
        (
            one(resource("/x").get(read).get(other)),
            "GET is declared twice",
        ),
        (
            one(resource("/{item_id}").get(read).cached(ITEM).cached(ITEM)),
            "GET has two cache policies",
        ),
        (
            one(resource("/x").get(read).signed_in().superuser()),
            "once",
        ),
        (one(resource("/x")), "no method"),
        (one(resource("x").get(read)), "begins with `/`"),
    ] {
        let found = mistakes(&api);
        assert!(
            found.len() == 1 && found[0].contains(part),
            "{part} in {found:#?}"
        );
    }
}

fn one<Last: 'static>(resource: backend::infrastructure::resource::Resource<Last>) -> Resources {
    let mut api = Resources::under("");
    api.add(resource);
    api
}

#[test]
fn a_resource_behind_another_that_matches_its_path_is_refused() {
    let mut api = Resources::under("/api");
    api.add(resource("/users/{username}").get(read))
        .add(resource("/users/me").get(other));
    expect_one(
        &api,
        &["/api/users/me", "never reached", "/api/users/{username}"],
    );
}

#[test]
fn c47_a_shared_answer_of_a_handler_that_knows_its_caller_is_refused() {
    let mut api = Resources::under("");
    api.add(
        resource("/items/{item_id}")
            .get(of_caller)
            .signed_in()
            .cached(ITEM),
    );
    expect_one(
        &api,
        &["GET /items/{item_id}", "takes a caller", "per_caller()"],
    );
    // The same for all callers that are signed in: the handler does not know which.
    let mut api = Resources::under("");
    api.add(
        resource("/items/{item_id}")
            .get(read)
            .signed_in()
            .cached(ITEM),
    );
    assert_eq!(mistakes(&api), Vec::<String>::new());
}

#[test]
fn c47_a_write_beside_a_cached_read_says_what_it_ends() {
    let path = || resource("/items/{item_id}").get(read).cached(ITEM);
    let mut api = Resources::under("");
    api.add(path().delete(write).signed_in());
    let found = mistakes(&api);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("DELETE /items/{item_id}: it ends nothing"),
        "{found:#?}"
    );
    let mut api = Resources::under("");
    api.add(path().delete(write).signed_in().ends(Invalidation::new()));
    assert_eq!(mistakes(&api), Vec::<String>::new());
}

#[test]
fn c47_a_write_below_a_cached_read_says_what_it_ends() {
    let below = |path: &'static str| {
        let mut api = Resources::under("");
        api.add(resource("/items/{item_id}").get(read).cached(ITEM));
        api.add(resource(path).post(write).signed_in());
        mistakes(&api)
    };
    let found = below("/items/{item_id}/cancel");
    assert_eq!(found.len(), 1, "{found:#?}");
    let expected = "POST /items/{item_id}/cancel: it ends nothing, although answers of /items/{item_id} are cached";
    assert!(found[0].starts_with(expected), "{found:#?}");
    for beside in ["/items", "/items/{item_id}s/cancel"] {
        assert_eq!(below(beside), Vec::<String>::new());
    }
}
