//! The effect of a write is visible (C31, C32): `Cache-Status` and the access log name the invalidated
//! keys.
//!
//! Come here for the form of the header; the choice of the keys is tested in `writing`.

use actix_web::HttpMessage as _;
use actix_web::test::TestRequest;
use actix_web::web;
use backend::infrastructure::cache::{
    Cache, CacheArguments, CacheOptions, CacheOutcome, CachePolicy, Clock, Invalidation,
};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::harness::{self, Harness, backend, delete, no_content, post};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();
const WRITE: Invalidation = ITEM
    .to_invalidate_extra(&[("count", "global"), ("owned_{owner}", "all")])
    .to_invalidate_groups(&["lists_of_{owner}"]);

async fn write(arguments: CacheArguments) -> actix_web::HttpResponse {
    arguments.bind("owner", "ada");
    no_content().await
}

#[actix_web::test]
async fn c31_a_write_names_the_keys_and_groups_that_it_invalidated() {
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                config.route("/{id}", web::delete().to(write).wrap(WRITE));
            })
            .await;
        let reply = delete(&app, "/7").await;
        assert_eq!(
            reply.header("cache-status"),
            "backend; fwd=method; invalidated=4; keys=\"item:7 count:global owned_ada:all\"; groups=\"lists_of_ada\"",
            "{:?}",
            harness.kind
        );
    }
}

#[actix_web::test]
async fn c31_a_write_names_the_patterns_that_it_invalidated() {
    const PATTERNS: Invalidation = ITEM.pattern_to_invalidate_extra(&["owned_{owner}:\"*"]);
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let app = harness
        .app(|config| {
            config.route("/{id}", web::delete().to(write).wrap(PATTERNS));
        })
        .await;
    assert_eq!(
        delete(&app, "/7").await.header("cache-status"),
        "backend; fwd=method; invalidated=2; keys=\"item:7\"; patterns=\"owned_ada:\\\"*\""
    );
}

#[actix_web::test]
async fn c31_of_many_keys_the_first_twenty_are_named() {
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                let write = |arguments: CacheArguments| async move {
                    for id in 1..=50 {
                        arguments.bind("id", id);
                    }
                    no_content().await
                };
                config.route("/write", web::post().to(write).wrap(ITEM));
            })
            .await;
        let reply = post(&app, "/write").await;
        let status = reply.header("cache-status");
        assert!(status.contains("invalidated=50; "), "{status}");
        let keys = status
            .split("keys=\"")
            .nth(1)
            .unwrap()
            .trim_end_matches('"');
        assert_eq!(keys.split(' ').count(), 20, "{status}");
        assert!(keys.ends_with("item:20"), "{status}");
    }
}

#[actix_web::test]
async fn c31_long_names_are_left_out_before_the_header_grows_too_long() {
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let app = harness
        .app(|config| {
            let write = |arguments: CacheArguments| async move {
                for id in 0..10 {
                    arguments.bind("id", format!("{id}{}", "x".repeat(1000)));
                }
                no_content().await
            };
            config.route("/write", web::post().to(write).wrap(ITEM));
        })
        .await;
    let reply = post(&app, "/write").await;
    let status = reply.header("cache-status");
    assert!(
        status.contains("invalidated=10; keys=\"item:0x"),
        "{status}"
    );
    assert!(status.len() < 4096, "{} bytes", status.len());
}

#[actix_web::test]
async fn c31_a_failed_write_names_nothing() {
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let app = harness
        .app(|config| {
            let write = web::delete().to(actix_web::HttpResponse::Conflict);
            config.route("/{id}", write.wrap(ITEM));
        })
        .await;
    assert_eq!(
        delete(&app, "/7").await.header("cache-status"),
        "backend; fwd=method"
    );
}

#[actix_web::test]
async fn c31_a_write_with_the_cache_disabled_names_nothing() {
    let harness = Harness::with_settings(CacheSettings {
        cache_enabled: false,
        ..harness::settings(CacheBackendKind::Memory)
    })
    .await;
    let app = harness
        .app(|config| {
            config.route("/{id}", web::delete().to(write).wrap(WRITE));
        })
        .await;
    assert_eq!(
        delete(&app, "/7").await.header("cache-status"),
        "backend; fwd=bypass; detail=disabled"
    );
}

#[actix_web::test]
async fn c32_in_production_names_are_in_the_log_alone() {
    let settings = harness::settings(CacheBackendKind::Memory);
    let backends = vec![("default".to_owned(), backend(&settings))];
    let cache = Cache::with_backends(
        &CacheOptions::from(&settings),
        false,
        backends,
        Clock::System,
    )
    .await;
    let app = harness::app(cache, |config| {
        config.route("/{id}", web::delete().to(write).wrap(WRITE));
    })
    .await;
    let _log = harness::Log::collect();
    let response =
        actix_web::test::call_service(&app, TestRequest::delete().uri("/7").to_request()).await;
    assert_eq!(
        response.headers().get("cache-status").unwrap(),
        "backend; fwd=method"
    );
    let extensions = response.request().extensions();
    let outcome = extensions.get::<CacheOutcome>().expect("an outcome");
    assert_eq!(
        outcome.invalidated(),
        Some("invalidated=4; keys=\"item:7 count:global owned_ada:all\"; groups=\"lists_of_ada\"")
    );
}

#[actix_web::test]
async fn c32_without_a_reader_no_outcome_is_recorded() {
    let settings = harness::settings(CacheBackendKind::Memory);
    for record_outcomes in [true, false] {
        let options = CacheOptions {
            record_outcomes,
            ..CacheOptions::from(&settings)
        };
        let backends = vec![("default".to_owned(), backend(&settings))];
        let cache = Cache::with_backends(&options, false, backends, Clock::System).await;
        let app = harness::app(cache, |config| {
            config.service(
                web::resource("/{id}")
                    .route(web::get().to(no_content).wrap(ITEM))
                    .route(web::delete().to(write).wrap(WRITE)),
            );
        })
        .await;
        for request in [TestRequest::get(), TestRequest::delete()] {
            let request = request.uri("/7").to_request();
            let response = actix_web::test::call_service(&app, request).await;
            let extensions = response.request().extensions();
            assert_eq!(extensions.get::<CacheOutcome>().is_some(), record_outcomes);
        }
    }
}
