//! Conditional requests and age (C42).
//!
//! Come here after changing `ETag`, `Age` or `If-None-Match`.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::IF_NONE_MATCH;
use actix_web::test::TestRequest;
use actix_web::web;
use backend::infrastructure::cache::CachePolicy;

use crate::harness::{Harness, Runs, get, no_content, numbered, post, send};

const ITEM: CachePolicy = CachePolicy::new("item")
    .resource_id_name("id")
    .expiration(600)
    .shared();

#[actix_web::test]
async fn c42_a_304_is_given_on_hits_and_misses_alike_and_never_after_a_change() {
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                config.route(
                    "/{id}",
                    web::get().to(numbered(&Runs::default())).wrap(ITEM),
                );
                config.route("/{id}", web::post().to(no_content).wrap(ITEM));
                config.route(
                    "/same/{id}",
                    web::get()
                        .to(|| async { HttpResponse::Ok().body("always the same") })
                        .wrap(ITEM),
                );
                config.route("/same/{id}", web::post().to(no_content).wrap(ITEM));
            })
            .await;
        let conditional = |path, tag: &str| {
            TestRequest::get()
                .uri(path)
                .insert_header((IF_NONE_MATCH, tag))
        };
        let tag = get(&app, "/1").await.header("etag").to_owned();
        let hit = send(&app, conditional("/1", &tag)).await;
        assert_eq!(
            (hit.status, hit.body.len(), hit.is_hit()),
            (304, 0, true),
            "{:?}",
            harness.kind
        );
        assert_eq!((hit.header("etag"), hit.header("age")), (tag.as_str(), "0"));
        post(&app, "/1").await;
        let changed = send(&app, conditional("/1", &tag)).await;
        assert_eq!((changed.status, changed.text()), (200, "run 2".to_owned()));
        // A miss whose bytes are those that the client has.
        let tag = get(&app, "/same/2").await.header("etag").to_owned();
        post(&app, "/same/2").await;
        let miss = send(&app, conditional("/same/2", &tag)).await;
        assert_eq!(
            (miss.status, miss.outcome()),
            (304, "backend; fwd=uri-miss; stored"),
            "{:?}",
            harness.kind
        );
        assert_eq!(
            get(&app, "/same/2").await.text(),
            "always the same",
            "the whole answer was stored"
        );
    }
}

#[actix_web::test]
async fn c42_a_hit_has_its_age() {
    for harness in Harness::on_every_backend().await {
        let app = harness.numbered_app(ITEM).await;
        assert_eq!(
            get(&app, "/1").await.header("age"),
            "",
            "a fresh answer has none"
        );
        harness.clock.advance(Duration::from_secs(42));
        assert_eq!(
            get(&app, "/1").await.header("age"),
            "42",
            "{:?}",
            harness.kind
        );
    }
}

#[actix_web::test]
async fn c42_a_handlers_own_tag_is_kept() {
    for harness in Harness::on_every_backend().await {
        let tagged = || async {
            HttpResponse::Ok()
                .insert_header(("etag", "\"version-7\""))
                .body("x")
        };
        let app = harness
            .app(|config| {
                config.route("/{id}", web::get().to(tagged).wrap(ITEM));
            })
            .await;
        for _ in 0..2 {
            assert_eq!(get(&app, "/1").await.header("etag"), "\"version-7\"");
        }
        let request = TestRequest::get()
            .uri("/1")
            .insert_header((IF_NONE_MATCH, "\"version-7\""));
        assert_eq!(send(&app, request).await.status, 304, "{:?}", harness.kind);
    }
}
