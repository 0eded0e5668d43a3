//! Authentication inside the policy (C45): the order of wrapping never shows one caller another's
//! answer.
//!
//! Come here for every way in which a caller is bound behind the cache. The correct order is in
//! `queries` (C13).

use std::future::{Ready, ready};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::TestRequest;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, error};
use backend::infrastructure::cache::{CachePolicy, bind_argument};
use futures_util::future::join_all;

use crate::harness::{Harness, Log, Reply, Runs, TestApp, get, send};

const SHARED: CachePolicy = CachePolicy::new("shared").resource_id("all").shared();
const MINE: CachePolicy = CachePolicy::new("mine").resource_id("all").per_caller();
const PLACED: CachePolicy = CachePolicy::new("placed_{caller}").resource_id("all");
const UNSPECIFIED: CachePolicy = CachePolicy::new("unspecified").resource_id("all");

/// The caller that the request names, bound as the argument `caller`.
#[derive(Clone, Debug)]
struct Caller(String);

impl Caller {
    fn authenticate(request: &HttpRequest) -> Result<Self, Error> {
        if let Some(known) = request.extensions().get::<Self>() {
            return Ok(known.clone());
        }
        let name = request.headers().get(AUTHORIZATION);
        let name = name.map(|name| name.to_str().unwrap().to_owned());
        let name = name.ok_or_else(|| error::ErrorUnauthorized("who are you?"))?;
        if name == "mallory" {
            return Err(error::ErrorUnauthorized("not you"));
        }
        bind_argument(request, "caller", &name);
        request.extensions_mut().insert(Self(name.clone()));
        Ok(Self(name))
    }
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::authenticate(request))
    }
}

/// An authenticating middleware.
async fn authenticate<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match Caller::authenticate(request.request()) {
        Ok(_) => Ok(next.call(request).await?.map_into_boxed_body()),
        Err(error) => Ok(request.error_response(error)),
    }
}

/// The ways in which a caller can be bound behind the cache.
const INSIDE: [&str; 4] = ["/wrapped", "/extracted", "/optional", "/handled"];

/// One route for each way, and one in the right order.
fn routes(policy: CachePolicy, runs: &Runs) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let runs = runs.clone();
    move |config| {
        let answer = move |request: &HttpRequest| {
            let name = request
                .extensions()
                .get::<Caller>()
                .map(|caller| caller.0.clone());
            let name = name.unwrap_or_default();
            HttpResponse::Ok().body(format!("{name} {}", runs.count()))
        };
        let (wrapped, extracted, optional) = (answer.clone(), answer.clone(), answer.clone());
        let (handled, right) = (answer.clone(), answer);
        config
            .route(
                "/wrapped",
                web::route()
                    .to(move |request: HttpRequest| ready(wrapped(&request)))
                    .wrap(from_fn(authenticate))
                    .wrap(policy),
            )
            .route(
                "/extracted",
                web::route()
                    .to(move |request: HttpRequest, _: Caller| ready(extracted(&request)))
                    .wrap(policy),
            )
            .route(
                "/optional",
                web::route()
                    .to(move |request: HttpRequest, caller: Option<Caller>| {
                        ready(match caller {
                            Some(_) => optional(&request),
                            None => HttpResponse::Unauthorized().finish(),
                        })
                    })
                    .wrap(policy),
            )
            .route(
                "/handled",
                web::route()
                    .to(move |request: HttpRequest| {
                        ready(Caller::authenticate(&request).map(|_| handled(&request)))
                    })
                    .wrap(policy),
            )
            .route(
                "/right",
                web::route()
                    .to(move |request: HttpRequest| ready(right(&request)))
                    .wrap(policy)
                    .wrap(from_fn(authenticate)),
            );
    }
}

async fn get_as(app: &impl TestApp, name: &str, path: &str) -> Reply {
    let request = TestRequest::get().uri(path);
    if name.is_empty() {
        return send(app, request).await;
    }
    send(app, request.insert_header((AUTHORIZATION, name))).await
}

#[actix_web::test]
async fn c45_an_answer_whose_caller_became_known_behind_the_cache_is_not_stored() {
    for policy in [SHARED, MINE, PLACED] {
        for harness in Harness::on_every_backend().await {
            let app = harness.app(routes(policy, &Runs::default())).await;
            for path in INSIDE {
                let log = Log::collect();
                for round in 1..=2 {
                    for name in ["ada", "bob"] {
                        let reply = get_as(&app, name, path).await;
                        assert!(reply.text().starts_with(name), "{path}: {reply:?}");
                        assert_eq!(
                            reply.outcome(),
                            "backend; fwd=bypass; detail=caller-inside",
                            "{path}, {policy:?} on {:?}",
                            harness.kind
                        );
                    }
                    for name in ["", "mallory"] {
                        let refused = get_as(&app, name, path).await;
                        assert_eq!(refused.status, 401, "{path}, round {round}: {refused:?}");
                    }
                }
                let errors = log.lines_with(&["ERROR", path, "authenticat", "outside"]);
                assert_eq!(errors.len(), 1, "one error for {path}: {errors:#?}");
            }
            for key in [
                "shared:all",
                "mine:all",
                "mine:all:caller=ada",
                "placed_ada:all",
            ] {
                assert!(!harness.cache.exists(key).await.unwrap(), "{key}");
            }
        }
    }
}

#[actix_web::test]
async fn c45_a_policy_that_says_nothing_of_callers_stores_no_answer_of_one() {
    for harness in Harness::on_every_backend().await {
        let app = harness.app(routes(UNSPECIFIED, &Runs::default())).await;
        for path in INSIDE {
            for name in ["ada", "bob"] {
                let reply = get_as(&app, name, path).await;
                assert!(reply.text().starts_with(name), "{path}: {reply:?}");
            }
            assert_eq!(get_as(&app, "", path).await.status, 401, "{path}");
        }
        assert!(!harness.cache.exists("unspecified:all").await.unwrap());
    }
}

#[actix_web::test]
async fn c45_in_the_right_order_answers_are_stored_and_nothing_is_logged() {
    for harness in Harness::on_every_backend().await {
        for (policy, shared) in [(SHARED, true), (MINE, false), (PLACED, false)] {
            let app = harness.app(routes(policy, &Runs::default())).await;
            let log = Log::collect();
            for round in 1..=2 {
                for name in ["ada", "bob"] {
                    let reply = get_as(&app, name, "/right").await;
                    let seen = if shared { "ada" } else { name };
                    assert!(reply.text().starts_with(seen), "{reply:?}");
                    let hit = round == 2 || (shared && name == "bob");
                    assert_eq!(reply.is_hit(), hit, "{policy:?}: {reply:?}");
                }
                for name in ["", "mallory"] {
                    assert_eq!(get_as(&app, name, "/right").await.status, 401);
                }
            }
            assert_eq!(log.lines_with(&["ERROR"]), Vec::<String>::new());
        }
    }
}

#[actix_web::test]
async fn c45_a_head_request_whose_caller_became_known_behind_the_cache_says_so() {
    for harness in Harness::on_every_backend().await {
        let app = harness.app(routes(SHARED, &Runs::default())).await;
        let request = TestRequest::with_uri("/extracted")
            .method(Method::HEAD)
            .insert_header((AUTHORIZATION, "ada"));
        let reply = send(&app, request).await;
        assert_eq!(
            reply.outcome(),
            "backend; fwd=bypass; detail=caller-inside",
            "{:?}",
            harness.kind
        );
    }
}

#[actix_web::test]
async fn c45_an_old_answer_is_not_refreshed_with_one_of_a_caller() {
    const OLD: CachePolicy = CachePolicy::new("old")
        .resource_id("all")
        .expiration(10)
        .stale_while_revalidate(3600)
        .shared();
    for harness in Harness::on_every_backend().await {
        let runs = Runs::default();
        let counted = runs.clone();
        let app = harness
            .app(move |config| {
                let handler = move |caller: Option<Caller>| {
                    let name = caller.map_or_else(|| "nobody".to_owned(), |caller| caller.0);
                    let number = counted.count();
                    ready(HttpResponse::Ok().body(format!("{name} {number}")))
                };
                config.route("/old", web::get().to(handler).wrap(OLD));
            })
            .await;
        assert_eq!(get(&app, "/old").await.text(), "nobody 1");
        harness.clock.advance(std::time::Duration::from_secs(11));
        // The refresh in the background runs as the caller whose request found the old answer.
        assert_eq!(get_as(&app, "ada", "/old").await.text(), "nobody 1");
        crate::support::eventually("the refresh has run", async || runs.total() == 2).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(
            get(&app, "/old").await.text().starts_with("nobody"),
            "{:?}",
            harness.kind
        );
    }
}

#[actix_web::test]
async fn c45_in_a_stampede_each_caller_gets_an_own_answer() {
    for harness in Harness::on_every_backend().await {
        for policy in [SHARED, MINE, PLACED, UNSPECIFIED] {
            for path in INSIDE {
                let app = harness.app(routes(policy, &Runs::default())).await;
                for _ in 0..2 {
                    let names = ["ada", "bob", "", "mallory", "eve"];
                    let requests = (0..50).map(|number| {
                        let name = names[number % names.len()];
                        let app = &app;
                        async move { (name, get_as(app, name, path).await) }
                    });
                    for (name, reply) in join_all(requests).await {
                        if matches!(name, "" | "mallory") {
                            assert_eq!(reply.status, 401, "{path}, {policy:?}: {reply:?}");
                        } else {
                            assert!(reply.text().starts_with(name), "{path}: {name} {reply:?}");
                        }
                    }
                }
            }
        }
    }
}
