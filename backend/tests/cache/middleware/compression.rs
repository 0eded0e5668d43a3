//! Compressed entries (`CACHE_COMPRESS_MIN_BYTES`): which client gets which form, and that all forms are one entry.
//!
//! Come here for a test of `Content-Encoding`, `Vary` and the entity tags of the forms. The coding itself is tested in
//! `stored::compression`.

use actix_web::http::Method;
use actix_web::http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use actix_web::test::TestRequest;
use actix_web::{HttpResponse, web};
use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::harness::{Harness, Reply, Runs, TestApp, backend, get, no_content, post, send};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

/// The size from which on answers are compressed.
const LEAST: usize = 1000;

/// A cache on each backend that compresses.
async fn harnesses() -> Vec<Harness> {
    Harness::on_every_backend_with(|settings| settings.cache_compress_min_bytes = LEAST).await
}

/// A body of at least [`LEAST`] bytes, which names the run of the handler.
fn large(run: usize) -> String {
    format!("[{run}{}]", ", \"a widget like any other\"".repeat(100))
}

/// An application whose `/{id}` answers with [`large`], and whose POST ends the entry.
async fn app(harness: &Harness) -> impl TestApp + 'static + use<> {
    let runs = Runs::default();
    harness
        .app(move |config| {
            let read = move || {
                let run = runs.count();
                std::future::ready(HttpResponse::Ok().body(large(run)))
            };
            config.service(
                web::resource("/{id}")
                    .route(web::post().to(no_content).wrap(ITEM))
                    .route(web::route().to(read).wrap(ITEM)),
            );
        })
        .await
}

/// A request by a client that accepts the coding.
fn accepting() -> TestRequest {
    TestRequest::get()
        .uri("/1")
        .insert_header((ACCEPT_ENCODING, "gzip, br, zstd"))
}

fn plain(reply: &Reply) -> String {
    assert_eq!(reply.header("content-encoding"), "zstd");
    let body = zstd::bulk::decompress(&reply.body, 1_000_000).expect("a body in zstd");
    String::from_utf8(body).expect("text")
}

#[actix_web::test]
async fn a_client_that_accepts_the_coding_gets_the_stored_form_and_another_the_plain_body() {
    for harness in harnesses().await {
        let app = app(&harness).await;
        for expected in ["backend; fwd=uri-miss; stored", "backend; hit; ttl=3600"] {
            let compressed = send(&app, accepting()).await;
            assert_eq!(compressed.outcome(), expected, "{:?}", harness.kind);
            assert_eq!(plain(&compressed), large(1));
            assert!(compressed.body.len() < large(1).len() / 3);
            assert_eq!(compressed.header("vary"), "Accept-Encoding");
        }
        let identity = get(&app, "/1").await;
        assert!(identity.is_hit(), "{:?}", harness.kind);
        assert_eq!(identity.text(), large(1));
        assert_eq!(identity.header("content-encoding"), "");
        assert_eq!(identity.header("vary"), "Accept-Encoding");
    }
}

#[actix_web::test]
async fn the_miss_of_a_client_without_the_coding_stores_the_compressed_form_too() {
    for harness in harnesses().await {
        let app = app(&harness).await;
        let miss = get(&app, "/1").await;
        assert_eq!(
            (miss.text(), miss.header("content-encoding")),
            (large(1), "")
        );
        assert_eq!(miss.header("vary"), "Accept-Encoding");
        let hit = send(&app, accepting()).await;
        assert!(hit.is_hit(), "{:?}", harness.kind);
        assert_eq!(plain(&hit), large(1));
    }
}

#[actix_web::test]
async fn the_forms_have_tags_of_their_own_and_each_is_answered_with_304() {
    for harness in harnesses().await {
        let app = app(&harness).await;
        // Of a miss and of hits.
        let compressed_tag = send(&app, accepting()).await.header("etag").to_owned();
        let plain_tag = get(&app, "/1").await.header("etag").to_owned();
        assert_ne!(compressed_tag, plain_tag);
        let with_tag = |request: TestRequest, tag: &str| {
            send(&app, request.insert_header((IF_NONE_MATCH, tag.to_owned())))
        };
        let identity = || TestRequest::get().uri("/1");
        let compressed = with_tag(accepting(), &compressed_tag).await;
        assert_eq!(compressed.status, 304, "{:?}", harness.kind);
        assert_eq!(compressed.header("etag"), compressed_tag);
        assert_eq!(compressed.header("vary"), "Accept-Encoding");
        assert_eq!(compressed.header("content-encoding"), "");
        let plain = with_tag(identity(), &plain_tag).await;
        assert_eq!((plain.status, plain.header("etag")), (304, &*plain_tag));
        // The tag of the other form is of other bytes.
        assert_eq!(with_tag(identity(), &compressed_tag).await.status, 200);
        assert_eq!(with_tag(accepting(), &plain_tag).await.status, 200);
        assert_eq!(with_tag(accepting(), "*").await.status, 304);
        post(&app, "/1").await;
        let miss = with_tag(accepting(), &compressed_tag).await;
        assert_eq!(
            (miss.status, miss.outcome()),
            (200, "backend; fwd=uri-miss; stored"),
            "the handler has answered anew"
        );
    }
}

#[actix_web::test]
async fn head_tells_of_the_form_that_get_would_give() {
    for harness in harnesses().await {
        let app = app(&harness).await;
        let got = send(&app, accepting()).await;
        let head = send(&app, accepting().method(Method::HEAD)).await;
        assert!(head.is_hit(), "{:?}", harness.kind);
        for name in ["etag", "vary", "content-encoding"] {
            assert_eq!(head.header(name), got.header(name), "{name}");
        }
    }
}

#[actix_web::test]
async fn c15_a_write_ends_both_forms() {
    for harness in harnesses().await {
        let app = app(&harness).await;
        assert_eq!(plain(&send(&app, accepting()).await), large(1));
        assert_eq!(get(&app, "/1").await.text(), large(1));
        post(&app, "/1").await;
        assert_eq!(get(&app, "/1").await.text(), large(2), "{:?}", harness.kind);
        assert_eq!(plain(&send(&app, accepting()).await), large(2));
    }
}

#[actix_web::test]
async fn c25_small_answers_and_those_that_forbid_it_are_stored_as_they_were_sent() {
    for harness in harnesses().await {
        let small = || async { HttpResponse::Ok().body("x".repeat(LEAST - 1)) };
        let forbidding = || async {
            HttpResponse::Ok()
                .insert_header(("cache-control", "public, No-Transform"))
                .body(large(1))
        };
        let encoded = || async {
            HttpResponse::Ok()
                .insert_header(("content-encoding", "own"))
                .body(large(1))
        };
        let app = harness
            .app(|config| {
                config
                    .route("/small/{id}", web::get().to(small).wrap(ITEM))
                    .route(
                        "/forbidding/{id}",
                        web::get()
                            .to(forbidding)
                            .wrap(CachePolicy::new("forbidding").shared()),
                    )
                    .route(
                        "/encoded/{id}",
                        web::get()
                            .to(encoded)
                            .wrap(CachePolicy::new("encoded").shared()),
                    );
            })
            .await;
        for (path, key, body) in [
            ("/small/1", "item:1", "x".repeat(LEAST - 1)),
            ("/forbidding/1", "forbidding:1", large(1)),
            ("/encoded/1", "encoded:1", large(1)),
        ] {
            for is_hit in [false, true] {
                let reply = send(&app, accepting().uri(path)).await;
                assert_eq!(reply.is_hit(), is_hit, "{path} {:?}", harness.kind);
                assert_eq!(reply.text(), body, "{path}");
                assert_eq!(reply.header("vary"), "", "{path}");
            }
            // Each memory backend has entries of its own.
            if harness.kind != CacheBackendKind::Memory {
                let key = harness.full_key(key);
                let stored = backend(&harness.settings).get(&key).await.unwrap();
                assert!(stored.unwrap().value.ends_with(body.as_bytes()), "{path}");
            }
        }
    }
}

#[actix_web::test]
async fn c23_a_service_and_a_person_read_a_compressed_entry_as_it_was_sent() {
    for harness in harnesses().await {
        let app = app(&harness).await;
        get(&app, "/1").await;
        let value: Option<serde_json::Value> = harness.cache.get("item:1").await.unwrap();
        assert_eq!(value.unwrap()[0], 1, "{:?}", harness.kind);
        let shown = harness.cache.inspect("item:1").await.unwrap().unwrap();
        assert_eq!(shown.body, large(1));
        assert!(shown.entry.size < large(1).len() / 3, "the stored size");
    }
}

#[actix_web::test]
async fn an_instance_that_does_not_compress_answers_with_what_another_has_compressed() {
    for harness in harnesses().await {
        if harness.kind == CacheBackendKind::Memory {
            continue;
        }
        get(&app(&harness).await, "/1").await;
        let other = Harness::with_settings(CacheSettings {
            cache_compress_min_bytes: 0,
            ..harness.settings.clone()
        })
        .await;
        let app = app(&other).await;
        assert_eq!(plain(&send(&app, accepting()).await), large(1));
        let identity = get(&app, "/1").await;
        assert!(identity.is_hit(), "{:?}", harness.kind);
        assert_eq!(identity.text(), large(1));
    }
}
