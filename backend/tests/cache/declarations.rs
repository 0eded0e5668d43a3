//! The effects of a declaration of a resource: HEAD, `Allow`, and the order of wrapping.
//!
//! Come here when a word of `resource(…)` changes. Refused declarations are in `map`.

use actix_web::App;
use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use backend::infrastructure::auth::Caller;
use backend::infrastructure::cache::{CachePolicy, bind_argument};
use backend::infrastructure::http::Json;
use backend::infrastructure::resource::{Resources, resource};
use backend::infrastructure::settings::CacheBackendKind;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::harness::{Harness, Runs, TestApp, no_content, numbered, send};

const ITEM: CachePolicy = CachePolicy::new("item")
    .resource_id_name("item_id")
    .shared();

#[derive(Deserialize, JsonSchema, Validate)]
struct Change {
    #[garde(skip)]
    #[expect(dead_code, reason = "only read")]
    name: String,
}

async fn change(_: Caller, _: Json<Change>) -> HttpResponse {
    no_content().await
}

async fn app(harness: &Harness, runs: &Runs) -> impl TestApp + use<> {
    let mut api = Resources::under("/api");
    api.add(
        resource("/items/{item_id}")
            .get(numbered(runs))
            .cached(ITEM)
            .patch(change)
            .signed_in()
            .ends(ITEM)
            .delete(no_content)
            .ends(ITEM),
    )
    .add(
        resource("/private/{item_id}")
            .get(numbered(runs))
            .signed_in()
            .cached(ITEM),
    )
    .add(resource("/secret").post(change).superuser());
    let app = App::new()
        .app_data(Data::new(harness.cache.clone()))
        .configure(|config| api.mount(config));
    init_service(app).await
}

fn request(method: &str, path: &str) -> TestRequest {
    TestRequest::get().method(method.parse().unwrap()).uri(path)
}

#[actix_web::test]
async fn head_is_answered_wherever_get_is_and_from_its_entry() {
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let runs = Runs::default();
    let app = app(&harness, &runs).await;
    send(&app, request("GET", "/api/items/1")).await;
    let reply = send(&app, request("HEAD", "/api/items/1")).await;
    assert!(reply.status == 200 && reply.is_hit(), "{reply:?}");
    assert_eq!(runs.total(), 1);
}

#[actix_web::test]
async fn every_other_method_is_405_with_the_declared_ones() {
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let app = app(&harness, &Runs::default()).await;
    for (path, allowed) in [
        ("/api/items/1", "GET, HEAD, PATCH, DELETE"),
        ("/api/private/1", "GET, HEAD"),
        ("/api/secret", "POST"),
    ] {
        for method in ["PUT", "OPTIONS", "TRACE"] {
            let reply = send(&app, request(method, path)).await;
            assert_eq!(
                (reply.status, reply.header(ALLOW.as_str())),
                (405, allowed),
                "{method} {path}"
            );
        }
    }
}

#[actix_web::test]
async fn c45_authentication_stands_before_the_cache_and_before_the_body() {
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let runs = Runs::default();
    let app = app(&harness, &runs).await;
    // The same key, filled through the route that needs no caller.
    send(&app, request("GET", "/api/items/1")).await;
    for method in ["GET", "HEAD"] {
        let reply = send(&app, request(method, "/api/private/1")).await;
        assert_eq!(reply.status, 401, "{method}");
        assert_eq!(reply.header("cache-status"), "", "the cache was not asked");
    }
    assert_eq!(runs.total(), 1);
    for path in ["/api/items/1", "/api/secret"] {
        let method = if path == "/api/secret" {
            "POST"
        } else {
            "PATCH"
        };
        let body = request(method, path)
            .insert_header((CONTENT_TYPE, "text/plain"))
            .set_payload("no JSON");
        assert_eq!(send(&app, body).await.status, 401, "{path}");
    }
    let unread = request("PATCH", "/api/items/1").set_payload(Bytes::from_static(b"{"));
    assert_eq!(send(&app, unread).await.status, 401);
}

#[actix_web::test]
async fn a_plain_service_stands_beside_declared_ones_and_its_policy_works() {
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let runs = Runs::default();
    let handler = numbered(&runs);
    let mut api = Resources::under("/api");
    api.plain(
        actix_web::web::resource("/plain/{item_id}")
            .route(actix_web::web::get().to(handler).wrap(ITEM)),
    );
    assert!(api.map().routes().is_empty());
    let app = App::new()
        .app_data(Data::new(harness.cache.clone()))
        .configure(|config| api.mount(config));
    let app = init_service(app).await;
    send(&app, request("GET", "/api/plain/1")).await;
    assert!(send(&app, request("GET", "/api/plain/1")).await.is_hit());
}

#[actix_web::test]
async fn c15_a_declared_write_uses_the_arguments_that_its_handler_bound() {
    async fn write(request: HttpRequest) -> HttpResponse {
        bind_argument(&request, "item_id", 7);
        no_content().await
    }
    for harness in Harness::on_every_backend().await {
        let mut api = Resources::under("");
        api.add(
            resource("/items/{item_id}")
                .get(numbered(&Runs::default()))
                .cached(ITEM),
        )
        .add(
            resource("/items")
                .post(write)
                .ends(ITEM.binds(&["item_id"])),
        );
        assert_eq!(api.mistakes(Some(&["default"])), Vec::<String>::new());
        let app = App::new()
            .app_data(Data::new(harness.cache.clone()))
            .configure(|config| api.mount(config));
        let app = init_service(app).await;
        for (path, kept) in [("/items/7", false), ("/items/8", true)] {
            send(&app, request("GET", path)).await;
            send(&app, request("POST", "/items")).await;
            assert_eq!(
                send(&app, request("GET", path)).await.is_hit(),
                kept,
                "{path}"
            );
        }
    }
}
