//! Never stale, never stampeding (C33–C36), with the interleavings forced.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Service;
use actix_web::test::TestRequest;
use actix_web::web;
use actix_web::{HttpResponse, rt};
use backend::infrastructure::cache::CacheHealth;
use backend::infrastructure::settings::CacheBackendKind;
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use crate::harness::{Harness, Log, Reply, Runs, backend, get, post, settings};
use crate::row::{ITEM, Row, start};
use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};

/// What is read, and the write that makes it stale.
const WAYS: [(&str, &str); 3] = [
    ("/items/1", "/items/1"),
    ("/ada/pages/1", "/ada/by-group"),
    ("/ada/pages/1", "/ada/by-pattern"),
];

fn works_on(kind: CacheBackendKind, write: &str) -> bool {
    kind != CacheBackendKind::Memcached || !write.ends_with("pattern")
}

#[actix_web::test]
async fn c33_what_was_read_before_a_write_is_never_stored_after_its_invalidation() {
    for harness in Harness::on_every_backend().await {
        // In this process, and from another one where the backend is shared.
        let other = if harness.kind == CacheBackendKind::Memory {
            None
        } else {
            Some(harness.another().await)
        };
        for (read, write) in WAYS {
            for from_other in [false, true] {
                if !works_on(harness.kind, write) {
                    continue;
                }
                let row = Row::default();
                let app = std::rc::Rc::new(harness.app(row.routes()).await);
                let writer = other
                    .as_ref()
                    .filter(|_| from_other)
                    .unwrap_or(&harness)
                    .app(row.routes())
                    .await;
                harness.cache.clear().await.unwrap();
                eventually("both trust the new generation", async || {
                    get(&writer, "/items/77").await;
                    get(&writer, "/items/77").await.is_hit()
                        && get(&*app, "/items/77").await.is_hit()
                })
                .await;
                row.hold();
                let reader = start(&app, read);
                row.entered().await;
                assert_eq!(post(&writer, write).await.status, 204);
                row.release(1);
                let old = reader.await.unwrap();
                // What belongs to a group that has ended may be stored, and is no answer to anybody.
                if !write.ends_with("group") {
                    assert_eq!(
                        old.outcome(),
                        "backend; fwd=uri-miss",
                        "{write} on {:?}",
                        harness.kind
                    );
                }
                for reply in [
                    get(&*app, read).await,
                    get(&writer, read).await,
                    get(&*app, read).await,
                ] {
                    assert_eq!(
                        reply.text(),
                        "2",
                        "{write} on {:?}, from another: {from_other}",
                        harness.kind
                    );
                }
            }
        }
    }
}

#[actix_web::test]
async fn c33_a_store_that_is_delayed_on_its_way_stores_nothing_old() {
    for kind in [CacheBackendKind::Redis, CacheBackendKind::Memcached] {
        for (read, write) in WAYS {
            if !works_on(kind, write) {
                continue;
            }
            let direct = Harness::new(kind).await;
            let mut slow = direct.settings.clone();
            slow.cache_operation_timeout_ms = 5000;
            let port = if kind == CacheBackendKind::Redis {
                &mut slow.cache_redis_port
            } else {
                &mut slow.cache_memcached_port
            };
            let proxy = Proxy::start(*port).await;
            *port = proxy.port;
            let slow = Harness::with_settings(slow).await;
            let row = Row::default();
            let reader_app = std::rc::Rc::new(slow.app(row.routes()).await);
            let writer = direct.app(row.routes()).await;
            row.hold();
            let reader = start(&reader_app, read);
            row.entered().await;
            proxy.set(Mode::Delay(Duration::from_millis(300)));
            // The store is on its way while the write commits and deletes.
            row.release(1);
            tokio::task::yield_now().await;
            assert_eq!(post(&writer, write).await.status, 204);
            reader.await.unwrap();
            proxy.set(Mode::Pass);
            for reply in [get(&writer, read).await, get(&*reader_app, read).await] {
                assert_eq!(reply.text(), "2", "{write} on {kind:?}");
            }
        }
    }
}

#[actix_web::test]
async fn c33_a_reader_whose_claim_ended_meanwhile_stores_nothing() {
    for harness in Harness::on_every_backend().await {
        if harness.kind == CacheBackendKind::Memory {
            continue;
        }
        let row = Row::default();
        let app = std::rc::Rc::new(harness.app(row.routes()).await);
        let other = harness.another().await.app(row.routes()).await;
        row.hold();
        let reader = start(&app, "/items/1");
        row.entered().await;
        // As expiry, eviction and `redis-cli DEL` do it: behind the cache's back.
        backend(&harness.settings)
            .delete(&[harness.full_key("item:1")])
            .await
            .unwrap();
        row.write();
        row.release(0);
        assert_eq!(
            get(&other, "/items/1").await.outcome(),
            "backend; fwd=uri-miss; stored"
        );
        row.release(1);
        assert_eq!(reader.await.unwrap().text(), "1");
        for reply in [get(&other, "/items/1").await, get(&*app, "/items/1").await] {
            assert!(
                reply.is_hit() && reply.text() == "2",
                "{:?}: {reply:?}",
                harness.kind
            );
        }
    }
}

#[actix_web::test]
async fn c34_concurrent_misses_run_the_handler_once_in_a_process() {
    for harness in Harness::on_every_backend().await {
        let row = Row::default();
        let app = std::rc::Rc::new(harness.app(row.routes()).await);
        row.hold();
        let readers: Vec<_> = (0..50).map(|_| start(&app, "/items/1")).collect();
        row.entered().await;
        row.release(1);
        let replies: Vec<_> = join_all(readers)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(row.runs(), 1, "{:?}", harness.kind);
        assert!(
            replies
                .iter()
                .all(|reply| reply.status == 200 && reply.text() == "1")
        );
        let stored = replies
            .iter()
            .filter(|reply| reply.outcome().ends_with("; stored"))
            .count();
        let others = replies
            .iter()
            .filter(|reply| reply.outcome().ends_with("; collapsed") || reply.is_hit())
            .count();
        assert_eq!((stored, others), (1, 49), "{:?}", harness.kind);
        assert!(
            replies
                .iter()
                .any(|reply| reply.outcome() == "backend; fwd=uri-miss; collapsed")
        );
    }
}

#[actix_web::test]
async fn c34_another_instance_waits_for_the_holder_and_gets_its_answer() {
    for harness in Harness::on_shared_backends().await {
        let row = Row::default();
        let app = std::rc::Rc::new(harness.app(row.routes()).await);
        let other = std::rc::Rc::new(harness.another().await.app(row.routes()).await);
        row.hold();
        let leader = start(&app, "/items/1");
        row.entered().await;
        let waiting = start(&other, "/items/1");
        tokio::time::sleep(Duration::from_millis(50)).await;
        row.release(1);
        assert_eq!(
            leader.await.unwrap().outcome(),
            "backend; fwd=uri-miss; stored"
        );
        let waited = waiting.await.unwrap();
        assert_eq!(
            (waited.outcome(), waited.text()),
            ("backend; fwd=uri-miss; collapsed", "1".to_owned())
        );
        assert_eq!(row.runs(), 1, "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c34_whoever_waited_long_enough_for_another_instance_runs_without_storing() {
    for kind in [CacheBackendKind::Redis, CacheBackendKind::Memcached] {
        let mut settings = settings(kind);
        settings.cache_collapse_wait_ms = 100;
        let harness = Harness::with_settings(settings).await;
        let row = Row::default();
        let app = std::rc::Rc::new(harness.app(row.routes()).await);
        let other = harness.another().await.app(row.routes()).await;
        row.hold();
        let leader = start(&app, "/items/1");
        row.entered().await;
        row.release(0);
        let waited = get(&other, "/items/1").await;
        assert_eq!(
            (waited.outcome(), waited.text()),
            ("backend; fwd=uri-miss", "1".to_owned()),
            "{kind:?}"
        );
        row.release(1);
        assert_eq!(
            leader.await.unwrap().outcome(),
            "backend; fwd=uri-miss; stored"
        );
        assert!(get(&other, "/items/1").await.is_hit());
    }
}

#[actix_web::test]
async fn c34_a_read_after_a_write_never_joins_a_flight_from_before_it() {
    for harness in Harness::on_every_backend().await {
        let other = if harness.kind == CacheBackendKind::Memory {
            None
        } else {
            Some(harness.another().await)
        };
        for (read, write) in WAYS {
            if !works_on(harness.kind, write) {
                continue;
            }
            harness.cache.delete("item:1").await.unwrap();
            let row = Row::default();
            let app = std::rc::Rc::new(harness.app(row.routes()).await);
            let beside = other.as_ref().unwrap_or(&harness).app(row.routes()).await;
            post(&*app, write).await;
            row.hold();
            let before = start(&app, read);
            row.entered().await;
            assert_eq!(post(&*app, write).await.status, 204);
            row.release(0);
            // The first reader is still under way with what it read before the write.
            for reply in [get(&*app, read).await, get(&beside, read).await] {
                assert_eq!(reply.text(), "3", "{write} on {:?}", harness.kind);
            }
            row.release(1);
            assert_eq!(before.await.unwrap().text(), "2");
            assert_eq!(
                get(&beside, read).await.text(),
                "3",
                "{write} on {:?}",
                harness.kind
            );
        }
    }
}

/// What becomes of ten requests whose leader does something odd while nine wait.
async fn check_odd_leader(harness: &Harness, kind: &'static str) -> (usize, Vec<Reply>) {
    let runs = Runs::default();
    let (entered, released) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let together = Arc::new(tokio::sync::Barrier::new(9));
    let handler = {
        let (runs, entered, released) = (runs.clone(), Arc::clone(&entered), Arc::clone(&released));
        move || {
            let number = runs.count();
            let (entered, released, together) = (
                Arc::clone(&entered),
                Arc::clone(&released),
                Arc::clone(&together),
            );
            async move {
                if number == 1 {
                    entered.add_permits(1);
                    released.acquire().await.unwrap().forget();
                    assert_ne!(kind, "panics");
                } else {
                    // Only if the nine run at the same time does any of them end.
                    together.wait().await;
                }
                match kind {
                    "fails" if number == 1 => HttpResponse::InternalServerError().finish(),
                    "cookie" => HttpResponse::Ok()
                        .insert_header(("set-cookie", format!("run={number}")))
                        .body("mine"),
                    _ => HttpResponse::Ok().body(format!("run {number}")),
                }
            }
        }
    };
    let app = std::rc::Rc::new(
        harness
            .app(|config| {
                config.route("/{id}", web::get().to(handler).wrap(ITEM));
            })
            .await,
    );
    let calling = |request: TestRequest| {
        let app = std::rc::Rc::clone(&app);
        async move {
            let response = app.call(request.to_request()).await;
            response.map_or(500, |response| response.status().as_u16())
        }
    };
    let leader = rt::spawn(calling(TestRequest::get().uri("/1")));
    entered.acquire().await.unwrap().forget();
    let followers: Vec<_> = (0..9).map(|_| start(&app, "/1")).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    released.add_permits(1);
    let replies = join_all(followers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let status = leader.await.unwrap();
    assert_eq!(status, if kind == "cookie" { 200 } else { 500 });
    (runs.total(), replies)
}

#[actix_web::test]
async fn c34_a_leader_that_fails_panics_or_may_not_be_stored_hangs_nobody_and_the_rest_run_in_parallel()
 {
    for harness in Harness::on_every_backend().await {
        for kind in ["fails", "panics", "cookie"] {
            harness.cache.delete("item:1").await.unwrap();
            let (runs, replies) = check_odd_leader(&harness, kind).await;
            assert_eq!(runs, 10, "{kind} on {:?}", harness.kind);
            assert!(
                replies.iter().all(|reply| reply.status == 200),
                "{kind}: {replies:?}"
            );
            let mut cookies: Vec<_> = replies
                .iter()
                .map(|reply| reply.header("set-cookie").to_owned())
                .collect();
            cookies.sort();
            cookies.dedup();
            assert_eq!(
                cookies.len(),
                if kind == "cookie" { 9 } else { 1 },
                "no cookie is shared"
            );
        }
    }
}

#[actix_web::test]
async fn c34_a_leader_whose_client_left_still_gives_the_others_its_answer() {
    for harness in Harness::on_every_backend().await {
        let row = Row::default();
        let app = std::rc::Rc::new(harness.app(row.routes()).await);
        row.hold();
        let leader = app.call(TestRequest::get().uri("/items/1").to_request());
        tokio::select! {
            _ = leader => panic!("the leader is held"),
            () = row.entered() => {}
        }
        let follower = start(&app, "/items/1");
        tokio::time::sleep(Duration::from_millis(50)).await;
        row.release(1);
        assert_eq!(follower.await.unwrap().text(), "1");
        assert_eq!(row.runs(), 1, "{:?}", harness.kind);
        assert!(get(&*app, "/items/1").await.is_hit());
    }
}

#[actix_web::test]
async fn c34_while_the_backend_is_away_nothing_is_collapsed() {
    let mut settings = settings(CacheBackendKind::Redis);
    settings.cache_operation_timeout_ms = 250;
    let proxy = Proxy::start(settings.cache_redis_port).await;
    settings.cache_redis_port = proxy.port;
    let harness = Harness::with_settings(settings).await;
    let row = Row::default();
    let app = std::rc::Rc::new(harness.app(row.routes()).await);
    proxy.set(Mode::Refuse);
    eventually("the breaker opens", async || {
        get(&*app, "/items/2").await;
        harness.cache.health() == CacheHealth::Down
    })
    .await;
    let before = row.runs();
    row.hold();
    let readers: Vec<_> = (0..20).map(|_| start(&app, "/items/1")).collect();
    for _ in 0..20 {
        row.entered().await;
    }
    row.release(20);
    assert!(
        join_all(readers)
            .await
            .into_iter()
            .all(|reply| reply.unwrap().status == 200)
    );
    assert_eq!(row.runs(), before + 20);
}

/// Two instances behind one proxy, which falls ill while one of them writes.
async fn check_lost_deletion(kind: CacheBackendKind, mode: Mode, read: &str, write: &str) {
    let mut settings = settings(kind);
    settings.cache_operation_timeout_ms = 250;
    let port = match kind {
        CacheBackendKind::Redis => &mut settings.cache_redis_port,
        _ => &mut settings.cache_memcached_port,
    };
    let proxy = Proxy::start(*port).await;
    *port = proxy.port;
    let harness = Harness::with_settings(settings).await;
    let other = harness.another().await;
    let row = Row::default();
    let (app, beside) = (
        harness.app(row.routes()).await,
        other.app(row.routes()).await,
    );
    // A busy machine may exceed the short deadline, which is an outage of its own.
    eventually("there are hits on both", async || {
        get(&app, read).await.is_hit() && get(&beside, read).await.is_hit()
    })
    .await;
    proxy.set(mode);
    assert_eq!(post(&app, write).await.status, 204);
    // It meets the outage too.
    assert_eq!(get(&beside, read).await.status, 200);
    proxy.set(Mode::Pass);
    eventually("hits are back on both", async || {
        let (own, others) = (get(&app, read).await, get(&beside, read).await);
        for reply in [&own, &others] {
            assert_eq!(
                reply.text(),
                "2",
                "{write} after {mode:?} on {kind:?}: {reply:?}"
            );
        }
        own.is_hit() && others.is_hit()
    })
    .await;
}

#[actix_web::test]
async fn c35_a_deletion_that_failed_is_delivered_before_anything_is_trusted_again() {
    for kind in [CacheBackendKind::Redis, CacheBackendKind::Memcached] {
        for (read, write) in WAYS {
            if works_on(kind, write) {
                for mode in [Mode::Refuse, Mode::Stall, Mode::Garbage, Mode::CutAnswers] {
                    check_lost_deletion(kind, mode, read, write).await;
                }
            }
        }
    }
}

#[actix_web::test]
async fn c35_more_undelivered_deletions_than_are_kept_distrust_everything_and_say_so() {
    let mut settings = settings(CacheBackendKind::Redis);
    settings.cache_operation_timeout_ms = 250;
    let proxy = Proxy::start(settings.cache_redis_port).await;
    settings.cache_redis_port = proxy.port;
    let harness = Harness::with_settings(settings).await;
    for key in ["item:1", "untouched:1"] {
        harness.cache.set(key, &1, None).await.unwrap();
    }
    proxy.set(Mode::Refuse);
    let log = Log::collect();
    for number in 0..10_001 {
        let _ = harness.cache.delete(&format!("item:{number}")).await;
    }
    assert_eq!(
        log.lines_with(&["too many undelivered cache deletions"])
            .len(),
        1
    );
    proxy.set(Mode::Pass);
    eventually("the cache is trusted again", async || {
        harness.cache.set("probe:1", &1, None).await.is_ok()
    })
    .await;
    for key in ["item:1", "untouched:1"] {
        assert!(!harness.cache.exists(key).await.unwrap(), "{key}");
    }
}

#[actix_web::test]
async fn c36_all_pages_of_a_list_end_at_once_on_every_backend() {
    for harness in Harness::on_every_backend().await {
        let row = Row::default();
        let app = harness.app(row.routes()).await;
        let pages: Vec<String> = (1..=20).map(|page| format!("/ada/pages/{page}")).collect();
        for page in pages.iter().chain([&"/bob/pages/1".to_owned()]) {
            assert_eq!(
                get(&app, page).await.outcome(),
                "backend; fwd=uri-miss; stored",
                "{:?}",
                harness.kind
            );
            assert!(get(&app, page).await.is_hit());
        }
        let log = Log::collect();
        post(&app, "/ada/by-group").await;
        assert!(log.lines_with(&["ERROR"]).is_empty(), "{:?}", harness.kind);
        for page in &pages {
            let reply = get(&app, page).await;
            assert!(
                !reply.is_hit() && reply.text() == "2",
                "{page} on {:?}",
                harness.kind
            );
        }
        assert!(
            get(&app, "/bob/pages/1").await.is_hit(),
            "another group stays"
        );
        assert!(
            harness.cache.exists("list_ada:page_1:1").await.unwrap(),
            "keys are as documented"
        );
        harness.cache.invalidate_group("list_ada").await.unwrap();
        assert!(!harness.cache.exists("list_ada:page_1:1").await.unwrap());
    }
}

#[actix_web::test]
async fn c36_a_group_whose_record_the_server_lost_is_ended_not_revived() {
    for harness in Harness::on_shared_backends().await {
        let row = Row::default();
        let app = harness.app(row.routes()).await;
        get(&app, "/ada/pages/1").await;
        // As a full server evicts it.
        backend(&harness.settings)
            .delete(&[harness.full_key("~group:list_ada")])
            .await
            .unwrap();
        row.write();
        assert_eq!(
            get(&app, "/ada/pages/2").await.text(),
            "2",
            "another page sets the record anew"
        );
        assert_eq!(
            get(&app, "/ada/pages/1").await.text(),
            "2",
            "{:?}",
            harness.kind
        );
    }
}

#[actix_web::test]
async fn c36_a_claim_from_before_a_write_is_joined_by_nobody_though_the_group_has_no_record() {
    for harness in Harness::on_every_backend().await {
        if harness.kind == CacheBackendKind::Memory {
            continue;
        }
        let row = Row::default();
        let app = std::rc::Rc::new(harness.app(row.routes()).await);
        row.hold();
        let before = start(&app, "/ada/pages/1");
        row.entered().await;
        let store = backend(&harness.settings);
        let (group, page) = (
            harness.full_key("~group:list_ada"),
            harness.full_key("list_ada:page_1:1"),
        );
        // The claim, rewritten as one that knew of no generation, and the record lost.
        let claim = store.get(&page).await.unwrap().unwrap().value;
        let claim = String::from_utf8(claim.to_vec()).unwrap();
        let (head, _) = claim.trim_end().rsplit_once(' ').unwrap();
        let forged = format!("{head} {:016x}\n", 0);
        store
            .set(&page, forged.into(), Duration::from_secs(10))
            .await
            .unwrap();
        assert_eq!(post(&*app, "/ada/by-group").await.status, 204);
        row.release(0);
        assert_eq!(
            get(&*app, "/ada/pages/1").await.text(),
            "2",
            "{:?}",
            harness.kind
        );
        row.release(1);
        assert_eq!(before.await.unwrap().text(), "1");
        // A record that is not ours is replaced, and the pages are cached again.
        store
            .set(&group, "foreign".into(), Duration::from_mins(1))
            .await
            .unwrap();
        eventually("the pages are cached", async || {
            get(&*app, "/ada/pages/1").await.is_hit()
        })
        .await;
    }
}
