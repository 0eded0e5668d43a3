//! A handler that does not bind an argument of its policy (C48): an error, and the smallest known set
//! that contains the key ends.
//!
//! Come here for writes; a read whose argument is missing (C6) is in `keys`.

use actix_web::web::{self, ServiceConfig};
use backend::infrastructure::cache::{CacheArguments, CachePolicy, Invalidation, ResourceIdType};

use crate::harness::{Harness, Log, Runs, TestApp, get, no_content, numbered, post};
use crate::support::eventually;

const ITEM: CachePolicy = CachePolicy::new("item")
    .resource_id_name("item_id")
    .shared();
const OTHER: CachePolicy = CachePolicy::new("other")
    .resource_id_name("other_id")
    .shared();
/// Entries of one group, which no argument names.
const LISTED: CachePolicy = CachePolicy::new("listed_{kind}")
    .resource_id_name("listed_id")
    .group("listed")
    .shared();

/// A reading route of each policy.
fn reads(config: &mut ServiceConfig) {
    for (path, policy) in [
        ("/items/{item_id}", ITEM),
        ("/others/{other_id}", OTHER),
        ("/listed/{kind}/{listed_id}", LISTED),
    ] {
        config.route(path, web::get().to(numbered(&Runs::default())).wrap(policy));
    }
}

/// A cache on each backend, with deadlines short enough that to distrust the namespace takes little time.
async fn harnesses() -> Vec<Harness> {
    Harness::on_every_backend_with(|settings| settings.cache_operation_timeout_ms = 1000).await
}

const PATHS: [&str; 4] = ["/items/1", "/items/2", "/others/1", "/listed/a/1"];

/// Stores every path, waiting until entries are trusted again.
async fn fill(app: &impl TestApp) {
    for path in PATHS {
        eventually("the entry is a hit", async || get(app, path).await.is_hit()).await;
    }
}

/// A write by the policy gets its normal answer, logs that it lacks `item_id`, and leaves no entry that
/// may be stale.
async fn check_that_everything_ends(policy: impl Into<Invalidation>) {
    let policy = policy.into();
    for harness in harnesses().await {
        let app = harness
            .app(|config| {
                reads(config);
                config.route("/write", web::post().to(no_content).wrap(policy));
            })
            .await;
        fill(&app).await;
        let log = Log::collect();
        let reply = post(&app, "/write").await;
        assert_eq!(reply.status, 204, "the write succeeds");
        assert_eq!(
            reply.outcome(),
            "backend; fwd=method; detail=missing-argument",
            "{:?}",
            harness.kind
        );
        assert!(reply.header("cache-status").ends_with("; everything"));
        let errors = log.lines_with(&[
            "ERROR",
            "/write",
            "`item_id`",
            "the whole namespace",
            "declared_at=backend/tests/cache/middleware/missing_bindings.rs:",
        ]);
        assert_eq!(errors.len(), 1, "{errors:#?}");
        for stale in PATHS {
            assert!(
                !get(&app, stale).await.is_hit(),
                "{stale} on {:?}",
                harness.kind
            );
        }
    }
}

/// A policy with nothing of its own to invalidate.
const NONE: CachePolicy = CachePolicy::new("none").resource_id("none");

#[actix_web::test]
async fn c48_a_missing_resource_id_is_an_error_and_ends_all_that_may_be_stale() {
    check_that_everything_ends(ITEM).await;
}

#[actix_web::test]
async fn c48_a_missing_argument_of_an_extra_is_an_error_and_ends_all_that_may_be_stale() {
    check_that_everything_ends(NONE.to_invalidate_extra(&[("owned_{item_id}", "all")])).await;
}

#[actix_web::test]
async fn c48_the_error_names_no_policy_where_the_write_has_no_resource_of_its_own() {
    let harness = harnesses().await.remove(2);
    let app = harness
        .app(|config| {
            let write = Invalidation::new().to_invalidate_groups(&["items_of_{item_id}"]);
            config.route("/write", web::post().to(no_content).wrap(write));
            config.route("/items", web::post().to(no_content).wrap(ITEM));
        })
        .await;
    let log = Log::collect();
    for (path, policy, has_policy) in [
        ("/write", "policy=", false),
        ("/items", "policy=\"item\"", true),
    ] {
        post(&app, path).await;
        let lines = log.lines_with(&["ERROR", &format!("route=\"{path}\""), "`item_id`"]);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(lines[0].contains(policy), has_policy, "{lines:#?}");
    }
}

#[actix_web::test]
async fn c48_a_missing_argument_of_a_group_is_an_error_and_ends_all_that_may_be_stale() {
    check_that_everything_ends(NONE.to_invalidate_groups(&["items_of_{item_id}"])).await;
}

#[actix_web::test]
async fn c48_a_missing_argument_of_a_pattern_is_an_error_and_ends_all_that_may_be_stale() {
    check_that_everything_ends(NONE.pattern_to_invalidate_extra(&["items_of_{item_id}:*"])).await;
}

#[actix_web::test]
async fn c48_where_the_group_of_the_policy_is_known_it_and_the_rest_of_the_write_end() {
    const WRITE: Invalidation = LISTED.to_invalidate_extra(&[("other", "1")]);
    for harness in harnesses().await {
        let app = harness
            .app(|config| {
                reads(config);
                config.route("/write", web::post().to(no_content).wrap(WRITE));
            })
            .await;
        fill(&app).await;
        let log = Log::collect();
        let reply = post(&app, "/write").await;
        assert_eq!(
            reply.outcome(),
            "backend; fwd=method; detail=missing-argument"
        );
        assert_eq!(log.lines_with(&["ERROR", "/write"]).len(), 1);
        for ended in ["/listed/a/1", "/others/1"] {
            let reply = get(&app, ended).await;
            assert!(!reply.is_hit(), "{ended} on {:?}", harness.kind);
        }
        for kept in ["/items/1", "/items/2"] {
            assert!(
                get(&app, kept).await.is_hit(),
                "{kept} on {:?}",
                harness.kind
            );
        }
    }
}

#[actix_web::test]
async fn c48_an_argument_that_is_bound_in_time_or_never_needed_is_no_error() {
    const WRITE: Invalidation = ITEM.to_invalidate_extra(&[("other", "other_id")]);
    for harness in harnesses().await {
        let app = harness
            .app(|config| {
                reads(config);
                let write = |arguments: CacheArguments| async move {
                    arguments.bind("item_id", 1);
                    arguments.bind("other_id", 1);
                    no_content().await
                };
                config
                    .route("/write", web::post().to(write).wrap(WRITE))
                    .route(
                        "/fail",
                        web::post()
                            .to(actix_web::HttpResponse::BadRequest)
                            .wrap(WRITE),
                    );
            })
            .await;
        fill(&app).await;
        let log = Log::collect();
        // A handler that fails has changed nothing, so it needs no binding.
        assert_eq!(post(&app, "/fail").await.outcome(), "backend; fwd=method");
        assert!(get(&app, "/items/1").await.is_hit());
        assert_eq!(post(&app, "/write").await.outcome(), "backend; fwd=method");
        for (path, kept) in [
            ("/items/1", false),
            ("/items/2", true),
            ("/others/1", false),
        ] {
            assert_eq!(
                get(&app, path).await.is_hit(),
                kept,
                "{path} on {:?}",
                harness.kind
            );
        }
        assert_eq!(log.lines_with(&["ERROR"]), Vec::<String>::new());
    }
}

#[actix_web::test]
async fn c07_a_write_without_an_id_that_could_be_inferred_warns_once_and_ends_nothing_else() {
    const INFERRED: CachePolicy = CachePolicy::new("note")
        .resource_id_type(ResourceIdType::Integer)
        .shared();
    for harness in harnesses().await {
        let app = harness
            .app(|config| {
                reads(config);
                config.route("/notes", web::post().to(no_content).wrap(INFERRED));
            })
            .await;
        fill(&app).await;
        let log = Log::collect();
        for _ in 0..3 {
            assert_eq!(post(&app, "/notes").await.status, 204);
        }
        assert_eq!(log.lines_with(&["WARN", "/notes", "resource id"]).len(), 1);
        assert_eq!(log.lines_with(&["ERROR"]).len(), 0);
        assert!(get(&app, "/items/1").await.is_hit(), "{:?}", harness.kind);
    }
}
