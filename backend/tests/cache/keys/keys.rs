//! Keys and their templates (C1–C5).
//!
//! Come here after changing how a key is built. Ids that need escaping are in `unusual_ids`.

use actix_web::middleware::from_fn;
use actix_web::test::TestRequest;
use actix_web::web;

use backend::infrastructure::cache::{CacheArguments, CachePolicy, ResourceIdType, bind_argument};
use backend::infrastructure::settings::CacheBackendKind;
use serde::{Deserialize, Serialize};

use crate::harness::{Harness, Runs, both, get, no_content, numbered, post, send};

const WIDGET: CachePolicy = CachePolicy::new("widget")
    .resource_id_name("widget_id")
    .shared();

#[derive(Deserialize, Serialize)]
#[serde(default)]
struct Page {
    page: u32,
    size: u32,
    sort: String,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            page: 1,
            size: 10,
            sort: "name".to_owned(),
        }
    }
}

#[actix_web::test]
async fn c01_the_key_is_the_prefix_and_the_resource_id() {
    const COUNT: CachePolicy = CachePolicy::new("widget_count").resource_id("global");
    const LIST: CachePolicy = CachePolicy::new("user_{username}_widgets:page_{page}:size_{size}")
        .resource_id_name("username")
        .query::<Page>();
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                both("/widgets/{widget_id}", WIDGET, &Runs::default())(config);
                both("/count", COUNT, &Runs::default())(config);
                both("/users/{username}/widgets", LIST, &Runs::default())(config);
            })
            .await;
        let keys = [
            ("/widgets/42", "widget:42"),
            ("/count", "widget_count:global"),
            (
                "/users/johndoe/widgets",
                "user_johndoe_widgets:page_1:size_10:johndoe:sort=name",
            ),
        ];
        for (path, key) in keys {
            assert_eq!(get(&app, path).await.key(), key);
            assert!(
                harness.cache.exists(key).await.unwrap(),
                "{key} on {:?}",
                harness.kind
            );
            assert!(get(&app, path).await.is_hit());
        }
    }
}

#[actix_web::test]
async fn c02_the_declared_query_is_normalised() {
    const LIST: CachePolicy = CachePolicy::new("list:{page}")
        .resource_id("all")
        .query::<Page>();
    const SEARCH: CachePolicy = CachePolicy::new("search")
        .resource_id_name("query_hash")
        .query::<Page>();
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                both("/list", LIST, &Runs::default())(config);
                both("/search", SEARCH, &Runs::default())(config);
            })
            .await;
        for path in ["/list", "/search"] {
            let key = get(&app, path).await.key().to_owned();
            for same in [
                "?page=1",
                "?page=01",
                "?size=10&page=1",
                "?sort=name&unknown=x",
                "?",
            ] {
                let reply = get(&app, &format!("{path}{same}")).await;
                assert!(
                    reply.is_hit() && reply.key() == key,
                    "{path}{same}: {reply:?}"
                );
            }
            for other in ["?page=2", "?size=11", "?sort=na", "?sort=name%3Apage"] {
                let reply = get(&app, &format!("{path}{other}")).await;
                assert!(
                    !reply.is_hit() && reply.key() != key,
                    "{path}{other}: {reply:?}"
                );
            }
        }
    }
}

#[actix_web::test]
async fn c02_an_outer_middleware_and_a_handler_bind_arguments() {
    const TENANT: CachePolicy = CachePolicy::new("tenant_{tenant}")
        .resource_id("home")
        .shared();
    const OWNED: CachePolicy = CachePolicy::new("owned")
        .resource_id_name("owner_id")
        .shared();
    for harness in Harness::on_every_backend().await {
        let runs = Runs::default();
        let app = harness
            .app(|config| {
                let tenant = from_fn(
                    |request: actix_web::dev::ServiceRequest,
                     next: actix_web::middleware::Next<_>| async move {
                        let tenant = request
                            .headers()
                            .get("x-tenant")
                            .unwrap()
                            .to_str()
                            .unwrap()
                            .to_owned();
                        bind_argument(&request, "tenant", tenant);
                        next.call(request).await
                    },
                );
                config.route(
                    "/home",
                    web::get().to(numbered(&runs)).wrap(TENANT).wrap(tenant),
                );
                config.route(
                    "/owned/{owner_id}",
                    web::get().to(numbered(&runs)).wrap(OWNED),
                );
                let bind = |arguments: CacheArguments| async move {
                    for owner in [7, 8, 7] {
                        arguments.bind("owner_id", owner);
                    }
                    no_content().await
                };
                config.route("/change", web::post().to(bind).wrap(OWNED));
            })
            .await;
        for tenant in ["a", "b"] {
            let home = || {
                TestRequest::get()
                    .uri("/home")
                    .insert_header(("x-tenant", tenant))
            };
            let miss = send(&app, home()).await;
            assert_eq!(miss.key(), format!("tenant_{tenant}:home"));
            assert!(!miss.is_hit() && send(&app, home()).await.is_hit());
        }
        for owner in [7, 8, 9] {
            get(&app, &format!("/owned/{owner}")).await;
        }
        post(&app, "/change").await;
        for (owner, kept) in [(7, false), (8, false), (9, true)] {
            assert_eq!(
                get(&app, &format!("/owned/{owner}")).await.is_hit(),
                kept,
                "{owner}"
            );
        }
    }
}

#[actix_web::test]
async fn c02_neither_path_nor_query_can_name_the_caller() {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default)]
    struct Forged {
        caller: i64,
    }
    const MINE: CachePolicy = CachePolicy::new("mine_{caller}")
        .resource_id("all")
        .per_caller()
        .query::<Forged>();
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let app = harness
        .app(|config| {
            both("/mine", MINE, &Runs::default())(config);
            both("/mine/{caller}", MINE, &Runs::default())(config);
        })
        .await;
    for path in ["/mine?caller=1", "/mine/1"] {
        assert_eq!(
            get(&app, path).await.outcome(),
            "backend; fwd=bypass; detail=no-caller",
            "{path}"
        );
    }
}

#[test]
#[should_panic(expected = "user_{name")]
fn c03_a_malformed_template_is_refused_when_the_policy_is_made() {
    let _ = CachePolicy::new(std::hint::black_box("user_{name"));
}

#[test]
#[should_panic(expected = "{a}{b}")]
fn c03_an_ambiguous_pattern_is_refused_when_the_policy_is_made() {
    let _ = CachePolicy::new("x").pattern_to_invalidate_extra(std::hint::black_box(&["{a}{b}"]));
}

#[actix_web::test]
async fn c04_values_stay_in_their_places() {
    const PAIR: CachePolicy = CachePolicy::new("pair:{a}")
        .resource_id_name("b")
        .resource_id_type(ResourceIdType::String);
    for harness in Harness::on_every_backend().await {
        let app = harness.app(both("/{a}/{b}", PAIR, &Runs::default())).await;
        let paths = [
            "/x%3Ay/z",
            "/x/y%3Az",
            "/x%25/y",
            "/x/y",
            "/%2a/y",
            "/x%2Fy/z",
            "/%F0%9F%A6%80/y",
            "/x%0Ay/z",
            "/x%20y/z",
        ];
        let mut keys = Vec::new();
        for path in paths {
            let reply = get(&app, path).await;
            assert!(
                !reply.is_hit(),
                "{path} met another's entry: {}",
                reply.key()
            );
            assert!(
                get(&app, path).await.is_hit(),
                "{path} on {:?}",
                harness.kind
            );
            assert_eq!(reply.key().matches(':').count(), 2, "{}", reply.key());
            keys.push(reply.key().to_owned());
        }
        assert_eq!(keys[4], "pair:%2A:y");
    }
}

#[actix_web::test]
async fn c05_long_keys_are_cached_apart_on_every_backend() {
    const NAMED: CachePolicy = CachePolicy::new("named").resource_id_type(ResourceIdType::String);
    for harness in Harness::on_every_backend().await {
        let app = harness.app(both("/{name}", NAMED, &Runs::default())).await;
        for end in ["a", "b"] {
            let path = format!("/{}{end}", "long".repeat(500));
            assert!(!get(&app, &path).await.is_hit());
            assert!(get(&app, &path).await.is_hit(), "{:?}", harness.kind);
            post(&app, &path).await;
            assert!(!get(&app, &path).await.is_hit());
        }
    }
}
