//! Writing (C15–C20).
//!
//! Come here after changing what a write invalidates, and when. What its answer names is in `effects`.

use std::rc::Rc;

use actix_web::dev::Service;
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;

use actix_web::{HttpRequest, HttpResponse, web};
use backend::infrastructure::cache::{CacheArguments, CachePolicy, Invalidation, ResourceIdType};
use backend::infrastructure::settings::CacheBackendKind;
use tokio::sync::Notify;

use crate::harness::{
    Harness, Log, Runs, check_kept, delete, get, no_content, numbered, post, reads, send,
};
use crate::support::eventually;

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

#[actix_web::test]
async fn c15_a_successful_write_deletes_the_key_before_it_is_answered() {
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                config.service(
                    web::resource("/{id}")
                        .route(web::get().to(numbered(&Runs::default())).wrap(ITEM))
                        .route(web::route().to(no_content).wrap(ITEM)),
                );
            })
            .await;
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            get(&app, "/1").await;
            assert!(get(&app, "/1").await.is_hit());
            let write = TestRequest::get().method(method.parse().unwrap()).uri("/1");
            assert_eq!(send(&app, write).await.outcome(), "backend; fwd=method");
            assert!(
                !harness.cache.exists("item:1").await.unwrap(),
                "{method} on {:?}",
                harness.kind
            );
            assert!(
                !get(&app, "/1").await.is_hit(),
                "{method} on {:?}",
                harness.kind
            );
        }
    }
}

#[actix_web::test]
async fn c15_only_a_success_invalidates() {
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                let answer = |request: HttpRequest| async move {
                    let status: u16 = request.match_info().get("status").unwrap().parse().unwrap();
                    HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish()
                };
                reads(config, "/{id}", ITEM);
                config.route("/{id}/{status}", web::post().to(answer).wrap(ITEM));
            })
            .await;
        for (status, kept) in [
            (200, false),
            (201, false),
            (302, false),
            (400, true),
            (404, true),
            (409, true),
            (500, true),
        ] {
            get(&app, "/1").await;
            post(&app, &format!("/1/{status}")).await;
            assert_eq!(
                get(&app, "/1").await.is_hit(),
                kept,
                "{status} on {:?}",
                harness.kind
            );
        }
    }
}

#[actix_web::test]
async fn c16_extras_name_an_argument_or_else_a_literal() {
    const COUNT: CachePolicy = CachePolicy::new("count").resource_id("global");
    const OWNED: CachePolicy = CachePolicy::new("owned_{owner}")
        .resource_id_name("kind")
        .resource_id_type(ResourceIdType::String);
    const WRITE: Invalidation = ITEM.to_invalidate_extra(&[
        ("count", "global"),
        ("owned_{owner}", "kind"),
        ("owned_{owner}", "literal"),
    ]);
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                reads(config, "/count", COUNT);
                reads(config, "/owned/{owner}/{kind}", OWNED);
                reads(config, "/items/{id}", ITEM);
                let write = |arguments: CacheArguments| async move {
                    arguments.bind("owner", "ada");
                    arguments.bind("kind", "cog");
                    no_content().await
                };
                config.route("/items/{id}", web::delete().to(write).wrap(WRITE));
            })
            .await;
        let read = [
            ("/count", false),
            ("/owned/ada/cog", false),
            ("/owned/ada/literal", false),
            ("/owned/ada/rod", true),
            ("/owned/bob/cog", true),
            ("/items/1", false),
            ("/items/2", true),
        ];
        check_kept(&app, &read, delete(&app, "/items/1"), harness.kind).await;
    }
}

#[actix_web::test]
async fn c19_extras_patterns_and_groups_on_a_get_are_an_error_and_the_handler_does_not_run() {
    let wrong = [
        ITEM.to_invalidate_extra(&[("count", "global")]),
        ITEM.pattern_to_invalidate_extra(&["list:*"]),
        ITEM.to_invalidate_groups(&["lists"]),
    ];
    let harness = Harness::new(CacheBackendKind::Memory).await;
    for policy in wrong {
        let runs = Runs::default();
        let app = harness
            .app(|config| {
                config.route("/{id}", web::route().to(numbered(&runs)).wrap(policy));
            })
            .await;
        for method in ["GET", "HEAD"] {
            let request = TestRequest::get()
                .method(method.parse().unwrap())
                .uri("/1")
                .to_request();
            let response = app.call(request).await.unwrap();
            assert_eq!(response.status(), 500);
            let problem = actix_web::body::to_bytes(response.into_body())
                .await
                .ok()
                .unwrap();
            let problem: serde_json::Value = serde_json::from_slice(&problem).unwrap();
            assert_eq!(problem["type"], "InvalidRequestError");
        }
        assert_eq!(runs.total(), 0);
    }
}

#[actix_web::test]
async fn c20_a_write_and_its_invalidation_run_to_their_end_without_the_client() {
    for harness in Harness::on_every_backend().await {
        let (entered, leave) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let committed = Runs::default();
        let app = harness
            .app(|config| {
                reads(config, "/{id}", ITEM);
                let (entered, leave, committed) =
                    (Rc::clone(&entered), Rc::clone(&leave), committed.clone());
                let write = move || {
                    let (entered, leave, committed) =
                        (Rc::clone(&entered), Rc::clone(&leave), committed.clone());
                    async move {
                        entered.notify_one();
                        leave.notified().await;
                        committed.count();
                        no_content().await
                    }
                };
                config.route("/{id}", web::post().to(write).wrap(ITEM));
            })
            .await;
        get(&app, "/1").await;
        let write = app.call(TestRequest::post().uri("/1").to_request());
        tokio::select! {
            _ = write => panic!("the handler waits"),
            () = entered.notified() => {}
        }
        // The client is gone: its future has been dropped half-way.
        leave.notify_one();
        eventually("the entry is deleted", async || {
            !harness.cache.exists("item:1").await.unwrap()
        })
        .await;
        assert_eq!(committed.total(), 1);
    }
}

#[actix_web::test]
async fn c35_a_write_with_more_keys_than_are_deleted_one_by_one_ends_everything_everywhere() {
    for harness in Harness::on_shared_backends().await {
        let other = harness.another().await;
        let app = harness
            .app(|config| {
                reads(config, "/{id}", ITEM);
                let write = |arguments: CacheArguments| async move {
                    for id in 0..=100_000 {
                        arguments.bind("id", id);
                    }
                    no_content().await
                };
                config.route("/write/many", web::post().to(write).wrap(ITEM));
            })
            .await;
        let beside = other.app(|config| reads(config, "/{id}", ITEM)).await;
        get(&app, "/1").await;
        assert!(get(&app, "/1").await.is_hit() && get(&beside, "/1").await.is_hit());
        let log = Log::collect();
        assert_eq!(post(&app, "/write/many").await.status, 204);
        assert_eq!(log.lines_with(&["everything is distrusted"]).len(), 1);
        assert!(!get(&beside, "/1").await.is_hit(), "{:?}", harness.kind);
        assert_eq!(get(&app, "/1").await.status, 200);
    }
}
