//! Identity (C63): a value of another key is never an answer.
//!
//! Come here when the format of stored values changes, or when answers of a server may be out of step.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use backend::infrastructure::settings::CacheBackendKind;
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::harness::{Harness, Log, TestApp, backend, get, near_settings, post, settings};
use crate::row::{ITEM, Row, start};
use crate::server_access::put_proxy_before;
use crate::support::eventually;
use crate::support::proxy::Mode;

const HOUR: Duration = Duration::from_hours(1);
const OTHER_KEY: &str = "answered with the value of another key";

/// Answers with the whole path.
async fn echo(request: actix_web::HttpRequest) -> HttpResponse {
    HttpResponse::Ok().body(request.path().to_owned())
}

fn echoes(config: &mut ServiceConfig) {
    config.route("/items/{id}", web::get().to(echo).wrap(ITEM));
}

#[actix_web::test]
async fn c63_lost_replies_never_give_an_answer_of_another_key() {
    let memcached = settings(CacheBackendKind::Memcached);
    for mut settings in [
        settings(CacheBackendKind::Redis),
        near_settings(),
        memcached,
    ] {
        let name = format!(
            "{:?}, near: {}",
            settings.cache_backend, settings.cache_near
        );
        settings.cache_operation_timeout_ms = 250;
        let proxy = put_proxy_before(&mut settings).await;
        let harness = Harness::with_settings(settings).await;
        let app = harness.app(echoes).await;
        let log = Log::collect();
        let until = Instant::now() + Duration::from_secs(20);
        let mut rounds = 0;
        // Memcached's client knows each answer by its number, so nothing is ever out of step there.
        while if harness.kind == CacheBackendKind::Redis {
            log.lines_with(&["ERROR", OTHER_KEY, ":item:"]).is_empty()
        } else {
            rounds < 3
        } {
            assert!(Instant::now() < until, "nothing was out of step on {name}");
            rounds += 1;
            proxy.set(Mode::Pass);
            eventually("there are hits", async || {
                read_all(&app).await;
                read_all(&app).await == PATHS
            })
            .await;
            // Another instance, whose near cache is empty.
            let other = harness.another().await;
            let other = other.app(echoes).await;
            proxy.set(Mode::SwallowReplies(5));
            join_all((0..8).map(|reader| read_in_turn(&other, reader))).await;
        }
    }
}

const PATHS: usize = 40;

/// Reads one path; answers whether it was a hit. No path has a group, so that the values of other keys that arrive are
/// those of entries.
async fn read(app: &impl TestApp, number: usize) -> bool {
    let path = format!("/items/{number}");
    let reply = get(app, &path).await;
    assert_eq!(reply.text(), path, "{reply:?}");
    reply.is_hit()
}

/// Reads all paths at once; answers how many were hits.
async fn read_all(app: &impl TestApp) -> usize {
    let hits = join_all((0..PATHS).map(|number| read(app, number))).await;
    hits.into_iter().filter(|is_hit| *is_hit).count()
}

/// Reads one path after the other, in another order than other readers.
async fn read_in_turn(app: &impl TestApp, reader: usize) {
    for turn in 0..PATHS {
        read(app, (turn * 7 + reader * 11) % PATHS).await;
    }
}

#[actix_web::test]
async fn c63_an_entry_that_was_copied_to_another_key_is_a_miss_and_is_replaced() {
    for harness in Harness::on_every_backend().await {
        if harness.kind == CacheBackendKind::Memory {
            continue;
        }
        let app = harness.app(echoes).await;
        let store = backend(&harness.settings);
        let (from, to) = (harness.full_key("item:1"), harness.full_key("item:2"));
        get(&app, "/items/1").await;
        let entry = store.get(&from).await.unwrap().unwrap().value;
        store.set(&to, entry, HOUR).await.unwrap();
        let log = Log::collect();
        assert!(harness.cache.get::<u32>("item:2").await.unwrap().is_none());
        let reply = get(&app, "/items/2").await;
        assert_eq!(reply.text(), "/items/2", "{:?}", harness.kind);
        assert!(!log.lines_with(&["ERROR", OTHER_KEY, "item:2"]).is_empty());
        eventually("the entry is replaced", async || {
            let reply = get(&app, "/items/2").await;
            assert_eq!(reply.text(), "/items/2", "{:?}", harness.kind);
            reply.is_hit()
        })
        .await;
    }
}

#[actix_web::test]
async fn c63_no_request_waits_for_a_claim_that_was_copied_to_another_key() {
    for harness in Harness::on_shared_backends().await {
        let row = Row::default();
        let app = Rc::new(harness.app(row.routes()).await);
        let store = backend(&harness.settings);
        row.hold();
        let holder = start(&app, "/items/1");
        row.entered().await;
        row.release(0);
        let claim = store.get(&harness.full_key("item:1")).await.unwrap();
        store
            .set(&harness.full_key("item:2"), claim.unwrap().value, HOUR)
            .await
            .unwrap();
        row.write();
        // The holder is held still: a request that joined it would wait for as long as a claim lives.
        let alone = timeout(Duration::from_secs(5), get(&*app, "/items/2")).await;
        let alone = alone.expect("a claim of another key is not waited for");
        assert_eq!(alone.text(), "2", "{:?}", harness.kind);
        row.release(1);
        assert_eq!(holder.await.unwrap().text(), "1");
    }
}

#[actix_web::test]
async fn c63_a_record_that_was_copied_to_another_group_makes_nothing_an_answer() {
    for harness in Harness::on_shared_backends().await {
        let row = Row::default();
        let app = harness.app(row.routes()).await;
        let store = backend(&harness.settings);
        let record = |owner: &str| harness.full_key(&format!("~group:list_{owner}"));
        for path in ["/ada/pages/1", "/bob/pages/1"] {
            get(&app, path).await;
        }
        let before = store.get(&record("ada")).await.unwrap().unwrap().value;
        assert_eq!(post(&app, "/ada/by-group").await.status, 204);
        // As an answer that is out of step would give it.
        let others = store.get(&record("bob")).await.unwrap().unwrap().value;
        for value in [others, before.slice(..before.len() - 1)] {
            store.set(&record("ada"), value, HOUR).await.unwrap();
            assert_eq!(
                get(&app, "/ada/pages/1").await.text(),
                "2",
                "{:?}",
                harness.kind
            );
        }
    }
}

#[actix_web::test]
async fn c63_the_record_of_another_namespace_is_not_taken_over() {
    let mut records: HashMap<String, bytes::Bytes> = HashMap::new();
    for harness in [
        Harness::new(CacheBackendKind::Redis).await,
        Harness::new(CacheBackendKind::Redis).await,
    ] {
        let key = harness.full_key("~generation");
        let store = backend(&harness.settings);
        if let Some(other) = records.values().next() {
            let log = Log::collect();
            store.set(&key, other.clone(), HOUR).await.unwrap();
            eventually("it is noticed", async || {
                let app = harness.app(echoes).await;
                assert_eq!(get(&app, "/items/1").await.text(), "/items/1");
                let other = harness.another().await;
                drop(other);
                !log.lines_with(&["ERROR", OTHER_KEY, "~generation"])
                    .is_empty()
            })
            .await;
        }
        let record = store.get(&key).await.unwrap().unwrap().value;
        records.insert(key, record);
    }
}
