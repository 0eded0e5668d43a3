//! One run of a handler for many requests (C34), with the interleavings forced.
//!
//! Come here for requests that wait for another one. Two writes and a read are in `never_stale`.

use std::sync::Arc;

use actix_web::dev::Service;
use actix_web::test::TestRequest;
use actix_web::{HttpResponse, rt, web};
use backend::infrastructure::cache::CacheHealth;
use backend::infrastructure::settings::CacheBackendKind;
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use crate::harness::{Harness, Log, Reply, Runs, get, post, settings};
use crate::row::{ITEM, Row, WAYS, start, works_on};
use crate::server_access::put_proxy_before;
use crate::support::eventually;
use crate::support::proxy::Mode;

#[actix_web::test]
async fn c34_concurrent_misses_run_the_handler_once_in_a_process() {
    for harness in Harness::on_every_backend().await {
        let log = Log::with_waits();
        let row = Row::default();
        let app = std::rc::Rc::new(harness.app(row.routes()).await);
        row.hold();
        let readers: Vec<_> = (0..50).map(|_| start(&app, "/items/1")).collect();
        row.entered().await;
        log.until_reads_wait(49, "request").await;
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
        let log = Log::with_waits();
        let row = Row::default();
        let app = std::rc::Rc::new(harness.app(row.routes()).await);
        let other = std::rc::Rc::new(harness.another().await.app(row.routes()).await);
        row.hold();
        let leader = start(&app, "/items/1");
        row.entered().await;
        let waiting = start(&other, "/items/1");
        log.until_reads_wait(1, "instance").await;
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
async fn c34_a_request_that_waited_long_enough_for_another_instance_runs_without_storing() {
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
async fn c34_a_read_after_a_write_never_joins_a_single_flight_from_before_it() {
    for harness in Harness::on_every_backend().await {
        let other = harness.another_if_shared().await;
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

/// The answers to ten requests of which the first runs the handler and fails in this way, while nine wait.
async fn check_failing_leader(harness: &Harness, kind: &'static str) -> (usize, Vec<Reply>) {
    let log = Log::with_waits();
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
    log.until_reads_wait(9, "request").await;
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
async fn c34_a_leader_that_fails_panics_or_may_not_be_stored_leaves_none_waiting_and_the_rest_run_in_parallel()
 {
    for harness in Harness::on_every_backend().await {
        for kind in ["fails", "panics", "cookie"] {
            harness.cache.delete("item:1").await.unwrap();
            let (runs, replies) = check_failing_leader(&harness, kind).await;
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
        let log = Log::with_waits();
        let row = Row::default();
        let app = std::rc::Rc::new(harness.app(row.routes()).await);
        row.hold();
        let leader = app.call(TestRequest::get().uri("/items/1").to_request());
        tokio::select! {
            _ = leader => panic!("the leader is held"),
            () = row.entered() => {}
        }
        let follower = start(&app, "/items/1");
        log.until_reads_wait(1, "request").await;
        row.release(1);
        assert_eq!(follower.await.unwrap().text(), "1");
        assert_eq!(row.runs(), 1, "{:?}", harness.kind);
        assert!(get(&*app, "/items/1").await.is_hit());
    }
}

#[actix_web::test]
async fn c34_while_the_backend_is_unavailable_no_requests_are_collapsed() {
    let mut settings = settings(CacheBackendKind::Redis);
    settings.cache_operation_timeout_ms = 250;
    let proxy = put_proxy_before(&mut settings).await;
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
