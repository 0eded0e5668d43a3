//! Claims that a look-up brings along, as it does after one that found nothing: what they save, and that
//! they hold like any other (C33, C34).
//!
//! Come here after changing what a look-up sends. Runs that are shared are in `single_flight`.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use backend::infrastructure::cache::backends::{
    BackendError, CacheBackend, Found, GetOrCreateResult,
};
use backend::infrastructure::settings::CacheBackendKind;
use bytes::Bytes;
use futures_util::future::join_all;

use crate::harness::{Harness, backend, get, of_every_backend, post, settings};
use crate::row::{Row, start};
use crate::server_access::{connect_to_holder, connect_to_redis, put_proxy_before};
use crate::support::proxy::Mode;
use crate::support::server::{Kind, Server};
use crate::support::{eventually, unique};

const MINUTE: Duration = Duration::from_mins(1);

fn value(text: &str) -> Bytes {
    Bytes::from(format!("cache/3 {:016x} {text}", rand::random::<u64>()))
}

fn backends() -> [Arc<dyn CacheBackend>; 6] {
    of_every_backend().map(|settings| backend(&settings))
}

/// Answers that nothing stands under another key, so that the next look-up brings its claim along.
async fn find_nothing(app: &impl crate::harness::TestApp) {
    let reply = get(app, &format!("/items/{}", unique("absent"))).await;
    assert_eq!(reply.outcome(), "backend; fwd=uri-miss; stored");
}

#[actix_web::test]
async fn c21_get_or_create_finds_the_value_or_creates_it() {
    for backend in backends() {
        let (name, key) = (backend.name(), unique("key"));
        let (first, second) = (value("one"), value("two"));
        let created = backend.get_or_create(&key, first.clone(), MINUTE).await;
        let GetOrCreateResult::Created(version) = created.unwrap() else {
            panic!("nothing stood there on {name}");
        };
        let found = backend.get_or_create(&key, second.clone(), MINUTE).await;
        let GetOrCreateResult::Found(Found {
            value: found,
            version: seen,
        }) = found.unwrap()
        else {
            panic!("a value stood there on {name}");
        };
        assert_eq!((found, &seen), (first, &version), "{name}");
        // Each version is good for a compare-and-set, like those of a look-up and a creation.
        let filled = backend.compare_and_set(&key, &seen, second.clone(), MINUTE);
        assert!(filled.await.unwrap().is_some(), "{name}");
        assert_eq!(
            backend.get(&key).await.unwrap().unwrap().value,
            second,
            "{name}"
        );
        backend.delete(&[key]).await.unwrap();
    }
}

#[actix_web::test]
async fn c21_of_many_get_or_create_at_once_one_creates_and_the_others_find_the_value() {
    for backend in backends() {
        let (name, key) = (backend.name(), unique("key"));
        let all = join_all((0..50).map(|_| {
            let (backend, key) = (Arc::clone(&backend), key.clone());
            rt::spawn(async move {
                let own = value("claim");
                let standing = backend.get_or_create(&key, own.clone(), MINUTE).await;
                (own, standing.unwrap())
            })
        }))
        .await;
        let mut created = Vec::new();
        let mut found = Vec::new();
        for answer in all {
            match answer.unwrap() {
                (own, GetOrCreateResult::Created(_)) => created.push(own),
                (_, GetOrCreateResult::Found(seen)) => found.push(seen.value),
                // Its look-up came before the first one's creation, and its own creation after it.
                (_, GetOrCreateResult::Contested) => {}
            }
        }
        assert_eq!(created.len(), 1, "{name}");
        assert!(found.iter().all(|seen| *seen == created[0]), "{name}");
        backend.delete(&[key]).await.unwrap();
    }
}

#[actix_web::test]
async fn a_value_of_another_type_is_found_and_left_unchanged() {
    let settings = settings(CacheBackendKind::Redis);
    let backend = backend(&settings);
    let key = unique("foreign");
    let mut redis = connect_to_redis(settings.cache_redis_port).await;
    let push = redis::cmd("RPUSH")
        .arg(&key)
        .arg("of another type")
        .to_owned();
    push.query_async::<()>(&mut redis).await.unwrap();
    let standing = backend.get_or_create(&key, value("claim"), MINUTE).await;
    let GetOrCreateResult::Found(found) = standing.unwrap() else {
        panic!("a list stood there");
    };
    assert!(found.value.is_empty());
    let length: usize = redis::cmd("LLEN")
        .arg(&key)
        .query_async(&mut redis)
        .await
        .unwrap();
    assert_eq!(length, 1);
    backend.delete(&[key]).await.unwrap();
}

#[actix_web::test]
async fn a_look_up_after_one_that_found_nothing_sends_its_claim_in_the_same_round_trip() {
    for kind in [CacheBackendKind::Redis, CacheBackendKind::Memcached] {
        let mut settings = settings(kind);
        let direct = backend(&settings);
        let proxy = put_proxy_before(&mut settings).await;
        let harness = Harness::with_settings(settings).await;
        let row = Row::default();
        let app = Rc::new(harness.app(row.routes()).await);
        find_nothing(&*app).await;
        proxy.set(Mode::HoldAnswers);
        let reader = start(&app, "/items/1");
        // No answer to the look-up has reached the service, and the claim stands.
        eventually("a claim", async || {
            let found = direct.get(&harness.full_key("item:1")).await.unwrap();
            found.is_some_and(|found| found.value[24..].starts_with(b" claim "))
        })
        .await;
        assert_eq!(row.runs(), 1, "the handler has not begun");
        proxy.set(Mode::Pass);
        assert_eq!(
            reader.await.unwrap().outcome(),
            "backend; fwd=uri-miss; stored"
        );
        assert!(get(&*app, "/items/1").await.is_hit());
    }
}

#[actix_web::test]
async fn c33_a_write_ends_a_claim_of_the_same_round_trip() {
    for harness in Harness::on_every_backend().await {
        let row = Row::default();
        let app = Rc::new(harness.app(row.routes()).await);
        find_nothing(&*app).await;
        row.hold();
        let reader = start(&app, "/items/1");
        row.entered().await;
        assert_eq!(post(&*app, "/items/1").await.status, 204);
        row.release(1);
        let old = reader.await.unwrap();
        assert_eq!(old.outcome(), "backend; fwd=uri-miss", "{:?}", harness.kind);
        for _ in 0..2 {
            assert_eq!(
                get(&*app, "/items/1").await.text(),
                "2",
                "{:?}",
                harness.kind
            );
        }
    }
}

#[actix_web::test]
async fn c34_many_look_ups_with_a_claim_run_the_handler_once() {
    for harness in Harness::on_every_backend().await {
        let row = Row::default();
        let app = Rc::new(harness.app(row.routes()).await);
        find_nothing(&*app).await;
        let replies = join_all((0..50).map(|_| start(&app, "/items/1"))).await;
        for reply in replies {
            assert_eq!(reply.unwrap().text(), "1");
        }
        assert_eq!(row.runs(), 2, "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c33_a_claim_that_is_sent_to_an_entry_changes_nothing() {
    for harness in Harness::on_every_backend().await {
        if harness.kind == CacheBackendKind::Memory {
            continue;
        }
        let row = Row::default();
        let app = harness.app(row.routes()).await;
        let direct = backend(&harness.settings);
        get(&app, "/items/1").await;
        let before = direct.get(&harness.full_key("item:1")).await.unwrap();
        find_nothing(&app).await;
        assert!(get(&app, "/items/1").await.is_hit(), "{:?}", harness.kind);
        let after = direct.get(&harness.full_key("item:1")).await.unwrap();
        assert_eq!(before, after, "{:?}", harness.kind);
        if harness.kind == CacheBackendKind::Redis {
            let key = harness.full_key("item:1");
            let mut redis = connect_to_holder(&harness.settings, &key).await;
            let mut lifetime = redis::cmd("TTL");
            lifetime.arg(key);
            let left: u64 = lifetime.query_async(&mut redis).await.unwrap();
            assert!(left > 500, "the entry keeps its own lifetime: {left} s");
        }
    }
}

#[actix_web::test]
async fn c37_a_claim_of_the_same_round_trip_is_in_the_index() {
    let harness = Harness::new(CacheBackendKind::Redis).await;
    // The first deletion starts the index.
    harness.cache.delete_pattern("item:*").await.unwrap();
    let row = Row::default();
    let app = harness.app(row.routes()).await;
    find_nothing(&app).await;
    get(&app, "/items/1").await;
    assert!(get(&app, "/items/1").await.is_hit());
    harness.cache.delete_pattern("item:*").await.unwrap();
    assert!(!get(&app, "/items/1").await.is_hit());
}

#[actix_web::test]
async fn c43_a_server_that_refuses_the_claim_still_answers_the_look_up() {
    let server = Server::start(Kind::Redis);
    let mut settings = settings(CacheBackendKind::Redis);
    settings.cache_redis_port = server.port;
    let backend = backend(&settings);
    let stored = value("stored");
    backend.set("held", stored.clone(), MINUTE).await.unwrap();
    assert_eq!(server.say("CONFIG SET maxmemory 1"), "+OK");
    let standing = backend.get_or_create("held", value("claim"), MINUTE).await;
    let Ok(GetOrCreateResult::Found(found)) = standing else {
        panic!("it is there: {standing:?}");
    };
    assert_eq!(found.value, stored);
    let refused = backend
        .get_or_create("absent", value("claim"), MINUTE)
        .await;
    assert!(
        matches!(refused, Err(BackendError::CannotStore(_))),
        "{refused:?}"
    );
}
