//! Variants of a resource (C44): one entry per caller or per query, all ended by one write.
//!
//! Come here when a policy stores several entries of one resource. The caller's rights are tested in
//! `rights`, the forced interleavings in `lookup/variants.rs`.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::TestRequest;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, error};
use backend::infrastructure::cache::{CachePolicy, Invalidation, bind_caller};
use backend::infrastructure::settings::CacheBackendKind;
use serde::{Deserialize, Serialize};

use crate::harness::{Harness, Reply, Runs, TestApp, get, no_content, numbered, post, send};
use crate::support::server::{Kind, Server};

#[derive(Deserialize, Serialize)]
struct Pages {
    #[serde(default)]
    page: u32,
    tag: Option<String>,
}

/// A query without defaults: a write's request has none of it.
#[derive(Deserialize, Serialize)]
struct RequiredPage {
    page: u32,
}

/// Binds the caller that the header names.
async fn authenticate(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let name = request.headers().get(AUTHORIZATION).cloned();
    match name.as_ref().and_then(|name| name.to_str().ok()) {
        Some(name) => {
            bind_caller(&request, name, 0);
            next.call(request).await
        }
        None => Ok(request.error_response(error::ErrorUnauthorized("no caller"))),
    }
}

/// A resource whose reading and writing routes have the same policy.
fn resource(path: &str, policy: CachePolicy) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let path = path.to_owned();
    move |config| {
        config.service(
            web::resource(path)
                .route(web::get().to(numbered(&Runs::default())).wrap(policy))
                .route(web::post().to(no_content).wrap(policy))
                .wrap(from_fn(authenticate)),
        );
    }
}

async fn get_as(app: &impl TestApp, caller: &str, path: &str) -> Reply {
    let request = TestRequest::get().uri(path);
    send(app, request.insert_header((AUTHORIZATION, caller))).await
}

async fn post_as(app: &impl TestApp, caller: &str, path: &str) {
    let request = TestRequest::post().uri(path);
    let reply = send(app, request.insert_header((AUTHORIZATION, caller))).await;
    assert_eq!(reply.status, 204);
}

/// Reads each path as each caller until all are hits, writes, and checks which paths are still hits.
async fn check(
    harness: &Harness,
    route: &str,
    policy: CachePolicy,
    ended: &[&str],
    (writer, write): (&str, &str),
    kept: &[&str],
) {
    let app = harness.app(resource(route, policy)).await;
    // A second instance where the servers are shared.
    let other = if harness.kind == CacheBackendKind::Memory {
        None
    } else {
        Some(harness.another().await.app(resource(route, policy)).await)
    };
    for path in ended.iter().chain(kept) {
        for caller in ["ada", "bob"] {
            let stored = get_as(&app, caller, path).await;
            assert_eq!(
                stored.outcome(),
                "backend; fwd=uri-miss; stored",
                "{path} of {route}"
            );
            assert!(
                get_as(&app, caller, path).await.is_hit(),
                "{path} of {route}"
            );
            if policy_is_shared(policy) {
                break;
            }
        }
    }
    if let Some(other) = &other {
        post_as(other, writer, write).await;
    } else {
        post_as(&app, writer, write).await;
    }
    for path in kept {
        for caller in ["ada", "bob"] {
            let reply = get_as(&app, caller, path).await;
            assert!(reply.is_hit(), "{path} of {route} on {:?}", harness.kind);
        }
    }
    for path in ended {
        for caller in ["ada", "bob"] {
            let reply = get_as(&app, caller, path).await;
            // A near cache may answer from before another instance's write for a moment.
            if !harness.settings.cache_near {
                let is_old = reply.is_hit() && !(caller == "bob" && policy_is_shared(policy));
                assert!(
                    !is_old,
                    "{path} of {route} for {caller} on {:?}",
                    harness.kind
                );
            }
        }
    }
}

fn policy_is_shared(policy: CachePolicy) -> bool {
    format!("{policy:?}").contains("Shared")
}

#[actix_web::test]
async fn c44_a_write_by_the_same_policy_ends_the_entry_of_every_caller() {
    const NOTE: CachePolicy = CachePolicy::new("note")
        .resource_id_name("note_id")
        .expiration(600)
        .per_caller();
    for harness in Harness::on_every_backend().await {
        let route = "/notes/{note_id}";
        check(
            &harness,
            route,
            NOTE,
            &["/notes/7"],
            ("bob", "/notes/7"),
            &["/notes/8"],
        )
        .await;
        assert!(harness.cache.exists("note:8:caller=ada").await.unwrap());
    }
}

#[actix_web::test]
async fn c44_a_write_by_the_same_policy_ends_the_entry_of_every_query() {
    const PAGED: CachePolicy = CachePolicy::new("paged")
        .resource_id_name("id")
        .query::<Pages>()
        .shared();
    const BOTH: CachePolicy = CachePolicy::new("both")
        .resource_id_name("id")
        .query::<Pages>()
        .per_caller();
    for harness in Harness::on_every_backend().await {
        for policy in [PAGED, BOTH] {
            let ended = ["/x/7", "/x/7?page=2", "/x/7?page=2&tag=a"];
            let kept = ["/x/8", "/x/8?page=2"];
            check(&harness, "/x/{id}", policy, &ended, ("ada", "/x/7"), &kept).await;
            // The write's own query does not matter.
            let app = harness.app(resource("/x/{id}", policy)).await;
            get_as(&app, "ada", "/x/9?page=2").await;
            post_as(&app, "ada", "/x/9?page=3&tag=b").await;
            assert!(!get_as(&app, "ada", "/x/9?page=2").await.is_hit());
        }
    }
}

#[actix_web::test]
async fn c44_a_write_by_the_same_policy_ends_pages_that_the_prefix_places() {
    const LIST: CachePolicy = CachePolicy::new("list_{owner}:page_{page}")
        .resource_id_name("owner")
        .query::<RequiredPage>()
        .shared();
    const GROUPED: CachePolicy = CachePolicy::new("grouped_{owner}:page_{page}")
        .resource_id_name("owner")
        .query::<RequiredPage>()
        .group("grouped_{owner}")
        .shared();
    // The write has no tenant, so the group's name cannot be built.
    const BY_TENANT: CachePolicy = CachePolicy::new("tenant_{owner}:page_{page}")
        .resource_id_name("owner")
        .query::<Pages>()
        .group("tenant_{tag}")
        .shared();
    for harness in Harness::on_every_backend().await {
        for policy in [LIST, GROUPED] {
            let (ended, kept) = (["/ada?page=1", "/ada?page=2"], ["/bob?page=1"]);
            check(&harness, "/{owner}", policy, &ended, ("ada", "/ada"), &kept).await;
        }
        let (ended, kept) = (["/ada?tag=x&page=1", "/ada?tag=y&page=2"], ["/bob?tag=x"]);
        check(
            &harness,
            "/{owner}",
            BY_TENANT,
            &ended,
            ("ada", "/ada"),
            &kept,
        )
        .await;
    }
}

#[actix_web::test]
async fn c44_a_write_by_the_same_policy_ends_searches_whose_id_is_the_query() {
    const BY_HASH: CachePolicy = CachePolicy::new("search")
        .resource_id_name("query_hash")
        .query::<Pages>()
        .shared();
    const BY_FIELD: CachePolicy = CachePolicy::new("tagged")
        .resource_id_name("page")
        .query::<Pages>()
        .shared();
    const GROUPED: CachePolicy = CachePolicy::new("grouped_search")
        .resource_id_name("query_hash")
        .query::<Pages>()
        .group("grouped_search")
        .shared();
    for harness in Harness::on_every_backend().await {
        for policy in [BY_HASH, BY_FIELD, GROUPED] {
            let ended = ["/search?tag=a", "/search?page=2"];
            check(&harness, "/search", policy, &ended, ("ada", "/search"), &[]).await;
        }
    }
}

#[actix_web::test]
async fn c44_a_write_by_the_same_policy_ends_the_entry_of_every_caller_that_the_prefix_places() {
    const ORDER: CachePolicy = CachePolicy::new("order_{caller}")
        .resource_id_name("order_id")
        .per_caller();
    for harness in Harness::on_every_backend().await {
        let route = "/orders/{order_id}";
        check(
            &harness,
            route,
            ORDER,
            &["/orders/7"],
            ("bob", "/orders/7"),
            &["/orders/8"],
        )
        .await;
        assert!(harness.cache.exists("order_ada:8").await.unwrap());
    }
}

#[actix_web::test]
async fn c44_deleting_the_key_of_a_resource_ends_its_variants() {
    const NOTE: CachePolicy = CachePolicy::new("note").resource_id_name("id").per_caller();
    const OTHER: Invalidation = CachePolicy::new("other")
        .resource_id("all")
        .shared()
        .to_invalidate_extra(&[("note", "id")]);
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                resource("/notes/{id}", NOTE)(config);
                config.route("/extra/{id}", web::post().to(no_content).wrap(OTHER));
            })
            .await;
        let read = async || {
            let reply = get_as(&app, "ada", "/notes/7").await;
            assert!(!reply.is_hit(), "{:?}", harness.kind);
            assert!(get_as(&app, "ada", "/notes/7").await.is_hit());
        };
        read().await;
        assert_eq!(post(&app, "/extra/7").await.status, 204);
        read().await;
        harness.cache.delete("note:7").await.unwrap();
        read().await;
        assert!(harness.cache.exists("note:7:caller=ada").await.unwrap());
        harness.cache.delete("note:7").await.unwrap();
        assert!(!harness.cache.exists("note:7:caller=ada").await.unwrap());
    }
}

#[actix_web::test]
async fn c44_a_policy_without_variants_costs_no_second_key() {
    const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();
    const ME: CachePolicy = CachePolicy::new("me_{caller}")
        .resource_id("profile")
        .per_caller();
    const NOTE: CachePolicy = CachePolicy::new("note").resource_id_name("id").per_caller();
    for (policy, look_ups) in [(ITEM, 1), (ME, 1), (NOTE, 2)] {
        let server = Server::start(Kind::Redis);
        let mut settings = crate::harness::settings(CacheBackendKind::Redis);
        settings.cache_redis_port = server.port;
        let harness = Harness::with_settings(settings).await;
        let app = harness.app(resource("/x/{id}", policy)).await;
        get_as(&app, "ada", "/x/1").await;
        // The supervisor reads the generation meanwhile: only keys of this read are counted.
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
        let monitor = client.get_async_monitor().await.unwrap();
        let mut commands = monitor.into_on_message::<String>();
        assert!(get_as(&app, "ada", "/x/1").await.is_hit());
        let mut redis = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd("PING")
            .query_async::<()>(&mut redis)
            .await
            .unwrap();
        let mut seen = 0;
        loop {
            let command = futures_util::StreamExt::next(&mut commands).await.unwrap();
            if command.contains("\"PING\"") {
                break;
            }
            seen += usize::from(command.contains("\"GET\"") && !command.contains("~generation"));
        }
        assert_eq!(seen, look_ups, "{policy:?}");
    }
}

#[actix_web::test]
async fn c44_a_resource_without_callers_is_read_by_the_provider_under_its_keys() {
    const PAGED: CachePolicy = CachePolicy::new("paged")
        .resource_id_name("id")
        .query::<Pages>()
        .group("all_paged")
        .shared();
    for harness in Harness::on_every_backend().await {
        let app = harness.app(resource("/x/{id}", PAGED)).await;
        let key = "paged:7:page=2";
        for end in ["resource", "group"] {
            assert!(!get_as(&app, "ada", "/x/7?page=2").await.is_hit(), "{end}");
            assert_eq!(get_as(&app, "ada", "/x/7?page=2").await.key(), key);
            assert!(harness.cache.exists(key).await.unwrap());
            if end == "resource" {
                post_as(&app, "ada", "/x/7").await;
            } else {
                harness.cache.invalidate_group("all_paged").await.unwrap();
            }
            assert!(!harness.cache.exists(key).await.unwrap(), "{end}");
        }
        assert!(!get(&app, "/x/7?page=2").await.is_hit());
    }
}
