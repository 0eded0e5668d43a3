//! Credentials and queries (C13, C14).
//!
//! Come here for a request that is not cached although its policy says so. Named query fields are in `query_fields`.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{AUTHORIZATION, COOKIE};
use actix_web::middleware::{Next, from_fn};
use actix_web::test::TestRequest;
use actix_web::web;
use actix_web::{Error, HttpResponse, error};
use backend::infrastructure::cache::{CachePolicy, bind_argument};
use serde::{Deserialize, Serialize};

use crate::harness::{Harness, Log, Runs, get, numbered, send};

const PLAIN: CachePolicy = CachePolicy::new("plain").resource_id("all");

#[actix_web::test]
async fn c13_requests_with_credentials_are_cached_only_where_the_policy_says_so() {
    const SHARED: CachePolicy = CachePolicy::new("shared").resource_id("all").shared();
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                config.route(
                    "/plain",
                    web::get().to(numbered(&Runs::default())).wrap(PLAIN),
                );
                config.route(
                    "/shared",
                    web::get().to(numbered(&Runs::default())).wrap(SHARED),
                );
            })
            .await;
        let log = Log::collect();
        for (header, value) in [
            (AUTHORIZATION, "Bearer x"),
            (AUTHORIZATION, ""),
            (COOKIE, "session=x"),
        ] {
            let with = |path| {
                TestRequest::get()
                    .uri(path)
                    .insert_header((header.clone(), value))
            };
            get(&app, "/plain").await;
            let reply = send(&app, with("/plain")).await;
            assert_eq!(
                reply.outcome(),
                "backend; fwd=bypass; detail=credentials",
                "{header}"
            );
            assert!(
                get(&app, "/plain").await.is_hit(),
                "without credentials it is cached"
            );
            send(&app, with("/shared")).await;
            assert!(send(&app, with("/shared")).await.is_hit());
        }
        assert_eq!(
            log.lines_with(&["WARN", "/plain", "credentials"]).len(),
            1,
            "one warning for the route"
        );
    }
}

/// Signs in the caller that the header names; refuses `mallory`.
async fn authenticate(
    request: ServiceRequest,
    next: Next<actix_web::body::BoxBody>,
) -> Result<actix_web::dev::ServiceResponse<actix_web::body::BoxBody>, Error> {
    let name = request
        .headers()
        .get(AUTHORIZATION)
        .map(|name| name.to_str().unwrap().to_owned());
    match name.as_deref() {
        None | Some("mallory") => {
            Ok(request.error_response(error::ErrorUnauthorized("who are you?")))
        }
        Some(name) => {
            bind_argument(&request, "caller", name);
            next.call(request).await
        }
    }
}

#[actix_web::test]
async fn c13_each_caller_has_an_entry_of_its_own_and_a_hit_skips_no_check() {
    // The caller in the key by one word, or by a place in the template.
    const BY_WORD: CachePolicy = CachePolicy::new("mine").resource_id("all").per_caller();
    const BY_PLACE: CachePolicy = CachePolicy::new("mine_{caller}").resource_id("all");
    for harness in Harness::on_every_backend().await {
        for (path, policy, key) in [
            ("/word", BY_WORD, "mine:all:caller=ada"),
            ("/place", BY_PLACE, "mine_ada:all"),
        ] {
            let app = harness
                .app(|config| {
                    let who = |request: actix_web::HttpRequest| async move {
                        HttpResponse::Ok().body(
                            request
                                .headers()
                                .get(AUTHORIZATION)
                                .unwrap()
                                .to_str()
                                .unwrap()
                                .to_owned(),
                        )
                    };
                    config.route(
                        path,
                        web::get().to(who).wrap(policy).wrap(from_fn(authenticate)),
                    );
                })
                .await;
            let as_caller = |name: &'static str| {
                TestRequest::get()
                    .uri(path)
                    .insert_header((AUTHORIZATION, name))
            };
            for round in 0..2 {
                for name in ["ada", "bob"] {
                    let reply = send(&app, as_caller(name)).await;
                    assert_eq!(
                        (reply.text(), reply.is_hit()),
                        (name.to_owned(), round == 1)
                    );
                }
                assert_eq!(send(&app, as_caller("mallory")).await.status, 401);
                assert_eq!(get(&app, path).await.status, 401);
            }
            assert!(harness.cache.exists(key).await.unwrap(), "{key}");
        }
    }
}

#[actix_web::test]
async fn c14_an_undeclared_query_bypasses_the_cache_with_one_warning() {
    for harness in Harness::on_every_backend().await {
        let runs = Runs::default();
        let app = harness
            .app(|config| {
                config.route("/plain", web::get().to(numbered(&runs)).wrap(PLAIN));
            })
            .await;
        let log = Log::collect();
        for number in 1..=3 {
            let reply = get(&app, &format!("/plain?x={number}")).await;
            assert_eq!(
                reply.outcome(),
                "backend; fwd=bypass; detail=undeclared-query"
            );
        }
        assert_eq!(runs.total(), 3);
        get(&app, "/plain").await;
        assert!(
            get(&app, "/plain").await.is_hit(),
            "without a query it is cached"
        );
        assert_eq!(log.lines_with(&["WARN", "/plain", "query"]).len(), 1);
    }
}

#[actix_web::test]
async fn c14_every_declared_field_is_part_of_the_key_and_nothing_else_is() {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default)]
    struct Filter {
        page: u32,
        tag: Option<String>,
        text: String,
    }
    const LIST: CachePolicy = CachePolicy::new("list:{page}")
        .resource_id("all")
        .query::<Filter>();
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                config.route(
                    "/list",
                    web::get().to(numbered(&Runs::default())).wrap(LIST),
                );
            })
            .await;
        let keys = [
            ("/list", "list:0:all:text="),
            ("/list?tag=a", "list:0:all:tag=a:text="),
            ("/list?text=a&tag=b", "list:0:all:tag=b:text=a"),
            ("/list?text=a:tag=b", "list:0:all:text=a%3Atag%3Db"),
        ];
        for (path, key) in keys {
            let reply = get(&app, path).await;
            assert_eq!((reply.key(), reply.is_hit()), (key, false), "{path}");
            assert!(
                get(
                    &app,
                    &format!(
                        "{path}{}other=1",
                        if path.contains('?') { '&' } else { '?' }
                    )
                )
                .await
                .is_hit()
            );
        }
        // A handler that refuses the query answers, and nothing is stored.
        for wrong in ["/list?page=x", "/list?page=-1", "/list?page=1&page=2"] {
            assert_eq!(
                get(&app, wrong).await.outcome(),
                "backend; fwd=bypass; detail=invalid-query",
                "{wrong}"
            );
        }
    }
}
