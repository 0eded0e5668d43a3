//! The words of a write: a policy of its own type, arguments that the handler binds, and exported
//! invalidations of other modules.
//!
//! Come here when a word of `Invalidation` or `CacheArguments` changes. Deletions on each backend are in
//! `writing`.

use actix_web::test::TestRequest;
use actix_web::web;
use backend::infrastructure::cache::{CacheArguments, CachePolicy, Invalidation};
use backend::infrastructure::settings::CacheBackendKind;

use crate::harness::{
    Harness, Log, Runs, check_kept, get, no_content, numbered, post, reads, send,
};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();
const COUNT: CachePolicy = CachePolicy::new("count").resource_id("global").shared();

#[actix_web::test]
async fn c19_an_invalidation_is_no_policy_of_a_read() {
    const ALSO: Invalidation = Invalidation::of(ITEM).also(&[Invalidation::new()]);
    let harness = Harness::new(CacheBackendKind::Memory).await;
    for wrong in [
        Invalidation::new(),
        Invalidation::new().to_invalidate_groups(&["lists"]),
        ALSO,
    ] {
        let runs = Runs::default();
        let app = harness
            .app(|config| {
                config.route("/{id}", web::route().to(numbered(&runs)).wrap(wrong));
            })
            .await;
        for method in ["GET", "HEAD"] {
            let request = TestRequest::get().method(method.parse().unwrap()).uri("/1");
            assert_eq!(send(&app, request).await.status, 500);
        }
        assert_eq!(runs.total(), 0);
    }
}

#[actix_web::test]
async fn c19_an_invalidation_of_the_resource_alone_reads_like_its_policy() {
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let app = harness
        .app(|config| {
            let handler = numbered(&Runs::default());
            config.route(
                "/{id}",
                web::get().to(handler).wrap(Invalidation::from(ITEM)),
            );
        })
        .await;
    get(&app, "/1").await;
    assert!(get(&app, "/1").await.is_hit());
}

#[actix_web::test]
async fn c15_a_write_without_a_resource_of_its_own_invalidates_without_a_warning() {
    const CREATE: Invalidation = Invalidation::new().to_invalidate_extra(&[("count", "global")]);
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                reads(config, "/count", COUNT);
                config.route("/items", web::post().to(no_content).wrap(CREATE));
            })
            .await;
        get(&app, "/count").await;
        let log = Log::collect();
        assert_eq!(post(&app, "/items").await.status, 204);
        assert_eq!(log.lines_with(&["WARN"]), Vec::<String>::new());
        assert!(!get(&app, "/count").await.is_hit(), "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c16_exported_invalidations_of_another_module_are_carried_out_too() {
    const OF_OWNER: Invalidation = Invalidation::new()
        .to_invalidate_extra(&[("item", "item_id"), ("count", "global")])
        .binds(&["item_id"]);
    const DELETE_OWNER: Invalidation = Invalidation::of(OWNER).also(&[OF_OWNER]);
    const OWNER: CachePolicy = CachePolicy::new("owner")
        .resource_id_name("owner_id")
        .shared();
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                reads(config, "/count", COUNT);
                reads(config, "/items/{id}", ITEM);
                reads(config, "/owners/{owner_id}", OWNER);
                let delete = |arguments: CacheArguments| async move {
                    arguments.bind_all("item_id", [1, 2]);
                    no_content().await
                };
                config.route(
                    "/owners/{owner_id}",
                    web::post().to(delete).wrap(DELETE_OWNER),
                );
            })
            .await;
        let read = [
            ("/count", false),
            ("/items/1", false),
            ("/items/2", false),
            ("/items/3", true),
            ("/owners/7", false),
        ];
        check_kept(&app, &read, post(&app, "/owners/7"), harness.kind).await;
    }
}

#[actix_web::test]
async fn c48_an_argument_that_is_bound_to_nothing_is_not_missing() {
    const WRITE: Invalidation = Invalidation::new()
        .to_invalidate_extra(&[("item", "item_id")])
        .to_invalidate_groups(&["list_{item_id}"])
        .binds(&["item_id"]);
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                reads(config, "/items/{id}", ITEM);
                let write = |arguments: CacheArguments| async move {
                    arguments.bind_all("item_id", Vec::<i64>::new());
                    no_content().await
                };
                config.route("/write", web::post().to(write).wrap(WRITE));
            })
            .await;
        get(&app, "/items/1").await;
        let log = Log::collect();
        assert_eq!(post(&app, "/write").await.status, 204);
        assert_eq!(log.lines_with(&["cache"]), Vec::<String>::new());
        assert!(get(&app, "/items/1").await.is_hit(), "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c48_a_declared_argument_that_is_not_bound_is_no_literal() {
    const ITEMS: Invalidation = Invalidation::new().to_invalidate_extra(&[("item", "item_id")]);
    const BOUND: Invalidation = Invalidation::new().binds(&["item_id"]);
    for write in [
        ITEMS.binds(&["item_id"]),
        // One part names the argument, and another one binds it.
        ITEMS.also(&[BOUND]),
        BOUND.also(&[ITEMS]),
    ] {
        let harness = Harness::new(CacheBackendKind::Memory).await;
        let app = harness
            .app(|config| {
                reads(config, "/items/{id}", ITEM);
                config.route("/write", web::post().to(no_content).wrap(write));
            })
            .await;
        get(&app, "/items/1").await;
        let log = Log::collect();
        assert_eq!(post(&app, "/write").await.status, 204);
        assert_eq!(log.lines_with(&["ERROR", "`item_id`"]).len(), 1);
        assert!(!get(&app, "/items/1").await.is_hit());
    }
}
