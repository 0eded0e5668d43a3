//! Backends under names, and the provider (C22–C24).
//!
//! Come here for a policy or a value that uses another backend than the default.

use std::time::Duration;

use actix_web::web;
use backend::infrastructure::cache::{CacheError, CachePolicy};
use backend::infrastructure::settings::CacheBackendKind;
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};

use crate::harness::{Harness, Log, Runs, backend, get, no_content, numbered, post, settings};
use crate::server_access::{connect_to_each, connect_to_holder, connect_to_redis};
use crate::support::{unique, variable};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

async fn redis() -> redis::aio::MultiplexedConnection {
    connect_to_redis(variable("TEST_REDIS_PORT").parse().unwrap()).await
}

#[actix_web::test]
async fn c22_a_policy_chooses_a_backend_by_its_name() {
    let settings = settings(CacheBackendKind::Redis);
    let mut memory = settings.clone();
    memory.cache_backend = CacheBackendKind::Memory;
    let backends = vec![
        ("default".to_owned(), backend(&settings)),
        ("local".to_owned(), backend(&memory)),
    ];
    let harness = Harness::with_backends(settings, backends).await;
    let app = harness
        .app(|config| {
            config.route(
                "/default/{id}",
                web::get().to(numbered(&Runs::default())).wrap(ITEM),
            );
            config.route(
                "/local/{id}",
                web::get()
                    .to(numbered(&Runs::default()))
                    .wrap(ITEM.backend_name("local")),
            );
            config.route(
                "/local/{id}",
                web::post().to(no_content).wrap(ITEM.backend_name("local")),
            );
        })
        .await;
    for path in ["/default/1", "/local/2"] {
        get(&app, path).await;
        assert!(get(&app, path).await.is_hit());
    }
    let local = harness.cache.backend("local");
    assert!(
        harness.cache.exists("item:1").await.unwrap() && !local.exists("item:1").await.unwrap()
    );
    assert!(
        !harness.cache.exists("item:2").await.unwrap() && local.exists("item:2").await.unwrap()
    );
    post(&app, "/local/2").await;
    assert!(!local.exists("item:2").await.unwrap());
}

#[actix_web::test]
async fn c22_an_unknown_name_is_an_unavailable_backend() {
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let app = harness
        .app(|config| {
            config.route(
                "/{id}",
                web::get()
                    .to(numbered(&Runs::default()))
                    .wrap(ITEM.backend_name("none")),
            );
            config.route(
                "/{id}",
                web::post().to(no_content).wrap(ITEM.backend_name("none")),
            );
        })
        .await;
    let log = Log::collect();
    for number in 1..=5 {
        let reply = get(&app, "/1").await;
        assert_eq!(
            (reply.status, reply.outcome()),
            (200, "backend; fwd=bypass; detail=unavailable")
        );
        assert_eq!(reply.text(), format!("run {number}"));
    }
    assert_eq!(post(&app, "/1").await.status, 204);
    assert_eq!(
        log.lines_with(&["Cache backend not available", "none"])
            .len(),
        1,
        "at most once a second"
    );
    assert!(matches!(
        harness.cache.backend("none").exists("item:1").await,
        Err(CacheError::Unavailable(_))
    ));
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Site {
    name: String,
    visits: Option<u64>,
}

#[actix_web::test]
async fn c23_the_provider_keeps_any_value_for_the_given_time() {
    for harness in Harness::on_every_backend().await {
        let cache = &harness.cache;
        let site = Site {
            name: "My App\n\"quoted\" ✓".to_owned(),
            visits: None,
        };
        assert_eq!(cache.get::<Site>("config:site").await.unwrap(), None);
        assert!(!cache.exists("config:site").await.unwrap());
        cache
            .set("config:site", &site, Some(Duration::from_mins(1)))
            .await
            .unwrap();
        assert_eq!(
            cache.get::<Site>("config:site").await.unwrap().as_ref(),
            Some(&site)
        );
        assert!(cache.exists("config:site").await.unwrap());
        cache.delete("config:site").await.unwrap();
        cache.delete("config:site").await.unwrap();
        assert!(!cache.exists("config:site").await.unwrap());
        for empty in [
            serde_json::json!(null),
            serde_json::json!([]),
            serde_json::json!(0),
            serde_json::json!(""),
        ] {
            cache.set("empty:1", &empty, None).await.unwrap();
            assert_eq!(
                cache.get::<serde_json::Value>("empty:1").await.unwrap(),
                Some(empty)
            );
        }
        cache
            .set("short:1", &1, Some(Duration::from_secs(5)))
            .await
            .unwrap();
        harness.clock.advance(Duration::from_secs(6));
        assert_eq!(
            cache.get::<i32>("short:1").await.unwrap(),
            None,
            "{:?}",
            harness.kind
        );
        assert!(matches!(
            cache.set("x:1", &1, Some(Duration::ZERO)).await,
            Err(CacheError::Expiration)
        ));
        cache.set("x:1", &"text", None).await.unwrap();
        assert!(matches!(
            cache.get::<i32>("x:1").await,
            Err(CacheError::Value(_))
        ));
    }
}

#[actix_web::test]
async fn c23_an_answer_of_a_route_is_read_with_get_and_the_other_way_round() {
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                let site = || async {
                    actix_web::HttpResponse::Ok().json(Site {
                        name: "a".to_owned(),
                        visits: Some(1),
                    })
                };
                config.route("/{id}", web::get().to(site).wrap(ITEM));
            })
            .await;
        get(&app, "/1").await;
        let stored: Site = harness.cache.get("item:1").await.unwrap().unwrap();
        assert_eq!(stored.visits, Some(1));
        harness
            .cache
            .set(
                "item:2",
                &Site {
                    name: "b".to_owned(),
                    visits: Some(2),
                },
                None,
            )
            .await
            .unwrap();
        let reply = get(&app, "/2").await;
        assert!(reply.is_hit(), "{:?}", harness.kind);
        assert_eq!(reply.text(), "{\"name\":\"b\",\"visits\":2}");
        assert_eq!(reply.header("content-type"), "application/json");
    }
}

#[actix_web::test]
async fn c24_clear_removes_this_cache_and_nothing_that_shares_the_server() {
    for harness in Harness::on_every_backend().await {
        let mut settings = harness.settings.clone();
        settings.cache_namespace = unique("test");
        let neighbour = Harness::with_settings(settings).await;
        for number in 0..50 {
            harness
                .cache
                .set(&format!("item:{number}"), &number, None)
                .await
                .unwrap();
            neighbour
                .cache
                .set(&format!("item:{number}"), &number, None)
                .await
                .unwrap();
        }
        let foreign = harness.full_key("a-session");
        if harness.kind == CacheBackendKind::Redis {
            let mut redis = connect_to_holder(&harness.settings, &foreign).await;
            redis.set::<_, _, ()>(&foreign, "not ours").await.unwrap();
        }
        harness.cache.clear().await.unwrap();
        for number in 0..50 {
            let key = format!("item:{number}");
            assert!(
                !harness.cache.exists(&key).await.unwrap(),
                "{:?}",
                harness.kind
            );
            assert!(
                neighbour.cache.exists(&key).await.unwrap(),
                "{:?}",
                harness.kind
            );
        }
        if harness.kind == CacheBackendKind::Redis {
            let mut left = Vec::new();
            for mut redis in connect_to_each(&harness.settings).await {
                let ours = format!("{}:*", harness.settings.cache_namespace);
                left.extend(redis.keys::<_, Vec<String>>(ours).await.unwrap());
            }
            assert!(left.contains(&foreign), "what is not ours stays: {left:?}");
            assert!(
                left.iter().all(|key| *key == foreign
                    || key.contains(":~generation")
                    || key.contains(":~server")
                    // Events are no entries: the history of a key outlives a clearing.
                    || key.ends_with(":~events")),
                "{left:?}"
            );
            let mut redis = connect_to_holder(&harness.settings, &foreign).await;
            redis.del::<_, ()>(&foreign).await.unwrap();
        }
        harness.cache.set("item:1", &1, None).await.unwrap();
        assert!(harness.cache.exists("item:1").await.unwrap(), "it works on");
    }
}

#[actix_web::test]
async fn c24_the_namespace_stands_before_every_key_auxiliary_ones_too() {
    const LIST: CachePolicy = CachePolicy::new("list").resource_id("all").group("lists");
    let harness = Harness::new(CacheBackendKind::Redis).await;
    let app = harness
        .app(|config| {
            config.route(
                "/list",
                web::get().to(numbered(&Runs::default())).wrap(LIST),
            );
        })
        .await;
    let mut connection = redis().await;
    get(&app, "/list").await;
    let ours: Vec<String> = connection
        .keys(format!("{}:*", harness.settings.cache_namespace))
        .await
        .unwrap();
    // The log of events is written in the background, before this or after it.
    let others = ours.iter().filter(|key| !key.ends_with(":~events"));
    assert_eq!(
        others.count(),
        4,
        "the entry, its group, the generation, the server's name: {ours:?}"
    );
    let strays: Vec<String> = connection.keys("~*").await.unwrap();
    let strays: Vec<_> = strays
        .into_iter()
        .filter(|key| key.contains("lists"))
        .collect();
    assert!(strays.is_empty(), "{strays:?}");
}
