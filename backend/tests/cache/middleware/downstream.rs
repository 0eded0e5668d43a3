//! Caches between the service and its users (C52): the `Cache-Control` of answers of cached routes.
//!
//! Come here for the header on each way of a request; that a handler's own header decides over storing is in
//! `reading` (C9).

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::middleware::{Next, from_fn};
use actix_web::test::TestRequest;
use actix_web::web;
use backend::infrastructure::cache::{CacheArguments, CachePolicy, bind_argument};

use crate::harness::{Harness, Runs, get, no_content, numbered, post, send};

const SHARED: CachePolicy = CachePolicy::new("shared").resource_id_name("id").shared();
const MINE: CachePolicy = CachePolicy::new("mine").resource_id_name("id").per_caller();
const PLACED: CachePolicy = CachePolicy::new("placed_{caller}").resource_id_name("id");

/// Signs every request in as `ada`.
async fn as_ada<B: actix_web::body::MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<actix_web::dev::ServiceResponse<B>, actix_web::Error> {
    bind_argument(&request, "caller", "ada");
    next.call(request).await
}

#[actix_web::test]
async fn c52_answers_of_cached_routes_are_revalidated() {
    for harness in Harness::on_every_backend().await {
        let cases = [
            (SHARED, "no-cache"),
            (MINE, "private, no-cache"),
            (PLACED, "private, no-cache"),
            (SHARED.client_max_age(30), "private, max-age=30"),
            (MINE.client_max_age(30), "private, max-age=30"),
        ];
        for (number, (policy, wanted)) in cases.into_iter().enumerate() {
            let app = harness
                .app(|config| {
                    config.route(
                        "/{id}",
                        web::route()
                            .to(numbered(&Runs::default()))
                            .wrap(policy)
                            .wrap(from_fn(as_ada)),
                    );
                })
                .await;
            let path = format!("/{number}");
            let miss = get(&app, &path).await;
            let hit = get(&app, &path).await;
            assert!(!miss.is_hit() && hit.is_hit(), "{policy:?}");
            let tag = hit.headers.get(ETAG).unwrap().clone();
            let conditional = TestRequest::get().uri(&path);
            let not_modified = send(&app, conditional.insert_header((IF_NONE_MATCH, tag))).await;
            let head = send(&app, TestRequest::with_uri(&path).method(Method::HEAD)).await;
            // Answered with 304 although the handler ran.
            let conditional = TestRequest::get().uri(&format!("/100{number}"));
            let fresh = send(&app, conditional.insert_header((IF_NONE_MATCH, "*"))).await;
            assert_eq!((not_modified.status, fresh.status), (304, 304));
            assert!(!fresh.is_hit());
            for reply in [miss, hit, not_modified, head, fresh] {
                assert_eq!(
                    reply.header("cache-control"),
                    wanted,
                    "{policy:?}, {} on {:?}",
                    reply.outcome(),
                    harness.kind
                );
            }
        }
    }
}

#[actix_web::test]
async fn c52_clients_may_keep_an_answer_for_the_time_that_the_policy_names() {
    const KEPT: CachePolicy = SHARED
        .expiration(600)
        .stale_while_revalidate(600)
        .client_max_age(30);
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                let handler = |path: web::Path<u16>| async move {
                    match path.into_inner() {
                        404 => HttpResponse::NotFound().finish(),
                        500 => HttpResponse::InternalServerError().finish(),
                        _ => HttpResponse::Ok().body("kept"),
                    }
                };
                config.route("/{id}", web::get().to(handler).wrap(KEPT));
            })
            .await;
        assert_eq!(get(&app, "/1").await.header("cache-control"), "max-age=30");
        assert_eq!(get(&app, "/1").await.header("cache-control"), "max-age=30");
        // Clients subtract `Age`, so it is added: they keep a hit as long as a miss.
        harness.clock.advance(Duration::from_secs(100));
        let hit = get(&app, "/1").await;
        assert_eq!(
            (hit.header("age"), hit.header("cache-control")),
            ("100", "max-age=130")
        );
        // Neither an error nor an old answer may be kept.
        for path in ["/404", "/500"] {
            assert_eq!(
                get(&app, path).await.header("cache-control"),
                "no-cache",
                "{path}"
            );
        }
        harness.clock.advance(Duration::from_secs(520));
        let old = get(&app, "/1").await;
        assert!(old.outcome().contains("ttl=-"), "{old:?}");
        assert_eq!(old.header("cache-control"), "no-cache");
    }
}

#[actix_web::test]
async fn c52_the_headers_of_a_handler_are_kept_and_decide_over_storing() {
    for harness in Harness::on_every_backend().await {
        for (own, stored) in [
            ("public, max-age=5", true),
            ("no-cache", true),
            ("no-store", false),
            ("private", false),
        ] {
            let app = harness
                .app(|config| {
                    let handler = move || async move {
                        HttpResponse::Ok()
                            .insert_header((CACHE_CONTROL, own))
                            .body("own")
                    };
                    config.route("/{id}", web::get().to(handler).wrap(SHARED));
                    config.route("/{id}", web::post().to(no_content).wrap(SHARED));
                })
                .await;
            post(&app, "/1").await;
            for is_hit in [false, stored] {
                let reply = get(&app, "/1").await;
                assert_eq!(
                    (reply.is_hit(), reply.header("cache-control")),
                    (is_hit, own),
                    "on {:?}",
                    harness.kind
                );
                assert_eq!(reply.headers.get_all(CACHE_CONTROL).count(), 1);
            }
        }
    }
}

#[actix_web::test]
async fn c52_an_answer_that_is_not_stored_because_of_its_caller_is_stored_by_no_client_cache() {
    const UNSPECIFIED: CachePolicy = CachePolicy::new("unspecified")
        .resource_id_name("id")
        .client_max_age(30);
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                let inside = |arguments: CacheArguments| async move {
                    arguments.bind("caller", "ada");
                    HttpResponse::Ok().body("of ada")
                };
                config
                    .route(
                        "/unspecified/{id}",
                        web::get().to(numbered(&Runs::default())).wrap(UNSPECIFIED),
                    )
                    .route(
                        "/inside/{id}",
                        web::get().to(inside).wrap(SHARED.client_max_age(30)),
                    );
            })
            .await;
        let request = TestRequest::get()
            .uri("/unspecified/1")
            .insert_header((AUTHORIZATION, "x"));
        assert_eq!(
            send(&app, request).await.header("cache-control"),
            "no-store"
        );
        assert_eq!(
            get(&app, "/unspecified/1").await.header("cache-control"),
            "max-age=30"
        );
        assert_eq!(
            get(&app, "/inside/1").await.header("cache-control"),
            "no-store"
        );
    }
}
