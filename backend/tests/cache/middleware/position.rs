//! The place of a policy (C46): on a route or a resource, whose whole path is matched.
//!
//! Come here for policies around a scope or an application; extras on a reading route (C19) are in
//! `writing`.

use actix_web::App;
use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{self, Data, ServiceConfig};
use backend::infrastructure::cache::CachePolicy;

use crate::harness::{Harness, Log, Runs, get, numbered, send};

const ACCOUNT: CachePolicy = CachePolicy::new("account")
    .resource_id_name("account_id")
    .shared();

/// Two resources in a scope, and one that is all of the scope's path.
fn account(runs: &Runs) -> actix_web::Scope {
    web::scope("/accounts/{account_id}")
        .route("", web::route().to(numbered(runs)))
        .route("/profile", web::route().to(numbered(runs)))
        .route("/orders", web::route().to(numbered(runs)))
}

fn check_refused(reply: &crate::harness::Reply, what: &str) {
    assert_eq!(reply.status, 500, "{what}: {reply:?}");
    let problem: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(problem["type"], "InvalidRequestError", "{what}");
    assert!(
        problem["detail"].as_str().unwrap().contains("scope"),
        "{what}: {problem}"
    );
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

#[actix_web::test]
async fn c46_a_policy_around_a_scope_refuses_paths_that_it_cannot_distinguish() {
    for harness in Harness::on_every_backend().await {
        let runs = Runs::default();
        let app = harness
            .app(|config: &mut ServiceConfig| {
                config.service(account(&runs).wrap(ACCOUNT));
            })
            .await;
        for path in [
            "/accounts/7/profile",
            "/accounts/7/orders",
            "/accounts/7/unknown",
        ] {
            for method in METHODS {
                let log = Log::collect();
                let request = TestRequest::with_uri(path).method(method.parse::<Method>().unwrap());
                check_refused(&send(&app, request).await, &format!("{method} {path}"));
                assert_eq!(
                    log.lines_with(&["ERROR", "InvalidRequestError", "account"])
                        .len(),
                    1,
                    "{method} {path}"
                );
            }
        }
        assert_eq!(runs.total(), 0, "no handler ran");
        assert!(!harness.cache.exists("account:7").await.unwrap());
        // The scope's own path is matched as a whole: its key is that of no other resource.
        assert_eq!(get(&app, "/accounts/7").await.text(), "run 1");
        assert!(get(&app, "/accounts/7").await.is_hit());
        check_refused(&get(&app, "/accounts/7/orders").await, "after a hit");
    }
}

#[actix_web::test]
async fn c46_a_policy_around_the_application_is_refused() {
    for harness in Harness::on_every_backend().await {
        let runs = Runs::default();
        let app = init_service(
            App::new()
                .app_data(Data::new(harness.cache.clone()))
                .service(account(&runs))
                .route("/", web::route().to(numbered(&runs)))
                .wrap(ACCOUNT),
        )
        .await;
        for path in ["/", "/accounts/7", "/accounts/7/profile", "/unknown"] {
            check_refused(&get(&app, path).await, path);
        }
        assert_eq!(runs.total(), 0);
    }
}

#[actix_web::test]
async fn c46_a_policy_on_a_route_or_a_resource_in_a_scope_is_right() {
    for harness in Harness::on_every_backend().await {
        let runs = Runs::default();
        let app = harness
            .app(|config: &mut ServiceConfig| {
                config.service(
                    web::scope("/accounts/{account_id}")
                        .route("/route", web::get().to(numbered(&runs)).wrap(ACCOUNT))
                        .service(
                            web::resource("/rest/{rest:.*}")
                                .route(web::get().to(numbered(&runs)))
                                .wrap(ACCOUNT),
                        ),
                );
            })
            .await;
        for path in [
            "/accounts/7/route",
            "/accounts/8/rest/",
            "/accounts/9/rest/x/y",
        ] {
            assert_eq!(get(&app, path).await.status, 200, "{path}");
            assert!(
                get(&app, path).await.is_hit(),
                "{path} on {:?}",
                harness.kind
            );
        }
    }
}
