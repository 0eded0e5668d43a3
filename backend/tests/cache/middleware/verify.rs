//! Proof in production (C50): hits whose handlers run again, and entries that are found stale.
//!
//! Come here for true and false alarms. The storm without a false alarm is in `resilience`.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use actix_web::web::{self, ServiceConfig};
use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::settings::CacheSettings;
use tokio::sync::Notify;

use crate::harness::{Harness, Log, Runs, TestApp, get, no_content, numbered, post, send};
use crate::support::eventually;

/// The longest deletion that a writer waits for (C17).
const LONGEST_DELETION: Duration = Duration::from_secs(5);

const ROW: CachePolicy = CachePolicy::new("row").resource_id_name("id").shared();

/// A cache on each backend whose every hit is compared.
async fn harnesses() -> Vec<Harness> {
    let verify = |settings: &mut CacheSettings| *settings = verifying(settings.clone());
    Harness::on_every_backend_with(verify).await
}

fn verifying(settings: CacheSettings) -> CacheSettings {
    CacheSettings {
        cache_verify_percent: 100.0,
        // A part of the time for which a difference must last.
        cache_operation_timeout_ms: 1000,
        ..settings
    }
}

/// The database of the test: one row for every id, and the number of reads.
#[derive(Clone, Default)]
struct Table {
    row: Arc<AtomicUsize>,
    reads: Runs,
}

impl Table {
    fn set(&self, row: usize) {
        self.row.store(row, Ordering::SeqCst);
    }

    /// A route that reads the row, and one that only invalidates.
    fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let table = self.clone();
        move |config| {
            let read = move || {
                table.reads.count();
                let row = table.row.load(Ordering::SeqCst);
                std::future::ready(match row {
                    404 | 500 => {
                        let status = StatusCode::from_u16(u16::try_from(row).unwrap());
                        HttpResponse::build(status.unwrap()).finish()
                    }
                    row => HttpResponse::Ok().body(format!("row {row}")),
                })
            };
            config.service(
                web::resource("/{id}")
                    .route(web::post().to(no_content).wrap(ROW))
                    .route(web::route().to(read).wrap(ROW)),
            );
        }
    }
}

/// Reads a path until a stale entry has been found. A difference has lasted long enough soon, since the clock is moved.
async fn find_stale(harness: &Harness, app: &impl TestApp, path: &str) {
    eventually("a stale entry is found", async || {
        get(app, path).await;
        harness.clock.advance(Duration::from_secs(1));
        harness.cache.stale_entries_found() > 0
    })
    .await;
}

/// Reads a path until it is a hit.
async fn hit(app: &impl TestApp, path: &str) {
    eventually("the entry is a hit", async || get(app, path).await.is_hit()).await;
}

#[actix_web::test]
async fn c50_an_entry_that_nothing_invalidated_is_found_when_the_handler_answers_otherwise() {
    for changed in [2, 404] {
        for harness in harnesses().await {
            let table = Table::default();
            let app = harness.app(table.routes()).await;
            let log = Log::collect();
            hit(&app, "/1").await;
            table.set(changed);
            find_stale(&harness, &app, "/1").await;
            eventually("the stale entry is replaced", async || {
                get(&app, "/1").await.text() != "row 0"
            })
            .await;
            let errors = log.lines_with(&["ERROR", "stale entry", "row:1", "past this service"]);
            assert_eq!(errors.len(), 1, "{errors:#?}");
            assert_eq!(harness.cache.stale_entries_found(), 1, "{:?}", harness.kind);
        }
    }
}

#[actix_web::test]
async fn c50_a_difference_that_an_invalidation_ends_in_time_is_no_alarm() {
    for harness in harnesses().await {
        let table = Table::default();
        let app = harness.app(table.routes()).await;
        for path in ["/1", "/2"] {
            hit(&app, path).await;
        }
        eventually("the hits are compared", async || table.reads.total() == 4).await;
        // The write of row 1 has committed, and its deletion is on its way; row 2 is changed past the service.
        table.set(2);
        eventually("the handler has run again", async || {
            assert!(get(&app, "/1").await.is_hit());
            table.reads.total() > 4
        })
        .await;
        // A deletion that takes as long as a writer waits for one. A decision about row 1 would come before later
        // comparisons of another row.
        harness.clock.advance(LONGEST_DELETION);
        hit(&app, "/3").await;
        for _ in 0..3 {
            let before = table.reads.total();
            eventually("a later hit is compared", async || {
                assert!(get(&app, "/3").await.is_hit());
                table.reads.total() > before
            })
            .await;
        }
        assert_eq!(harness.cache.stale_entries_found(), 0, "{:?}", harness.kind);
        post(&app, "/1").await;
        assert_eq!(get(&app, "/1").await.text(), "row 2");
        // The difference of row 1 was seen first, so it is decided when that of row 2 is.
        find_stale(&harness, &app, "/2").await;
        assert_eq!(harness.cache.stale_entries_found(), 1, "{:?}", harness.kind);
        assert!(harness.cache.exists("row:1").await.unwrap());
        assert!(get(&app, "/1").await.is_hit());
    }
}

#[actix_web::test]
async fn c50_an_answer_that_differs_every_time_is_found_and_the_log_says_so() {
    let harness = harnesses().await.remove(2);
    let app = harness
        .app(|config| {
            config.route("/{id}", web::get().to(numbered(&Runs::default())).wrap(ROW));
        })
        .await;
    let log = Log::collect();
    hit(&app, "/1").await;
    find_stale(&harness, &app, "/1").await;
    let errors = log.lines_with(&["ERROR", "stale entry", "depends on more than its key"]);
    assert_eq!(errors.len(), 1, "{errors:#?}");
}

#[actix_web::test]
async fn c50_a_failed_handler_is_not_compared() {
    const CONTROL: CachePolicy = CachePolicy::new("control").resource_id_name("id").shared();
    for harness in harnesses().await {
        let table = Table::default();
        let app = harness
            .app(|config| {
                let control = web::get().to(numbered(&Runs::default())).wrap(CONTROL);
                config.route("/control/{id}", control);
                table.routes()(config);
            })
            .await;
        let log = Log::collect();
        get(&app, "/1").await;
        table.set(500);
        eventually("the handler has failed", async || {
            assert!(get(&app, "/1").await.is_hit());
            table.reads.total() > 1
        })
        .await;
        // An entry that is looked at later and is found stale: by then the other would have been found.
        find_stale(&harness, &app, "/control/1").await;
        assert!(log.lines_with(&["row:1"]).is_empty(), "{:?}", harness.kind);
        assert!(get(&app, "/1").await.is_hit());
    }
}

#[actix_web::test]
async fn c50_a_head_request_is_not_compared() {
    for harness in harnesses().await {
        let table = Table::default();
        let app = harness.app(table.routes()).await;
        get(&app, "/1").await;
        for _ in 0..10 {
            let head = TestRequest::with_uri("/1").method(Method::HEAD);
            assert!(send(&app, head).await.is_hit());
        }
        tokio::task::yield_now().await;
        assert_eq!(table.reads.total(), 1, "{:?}", harness.kind);
        get(&app, "/1").await;
        eventually("a GET is compared", async || table.reads.total() == 2).await;
    }
}

#[actix_web::test]
async fn c50_few_hits_are_compared_at_a_time_and_a_handler_that_hangs_delays_no_answer() {
    let harness = harnesses().await.remove(2);
    let (runs, hangs) = (Runs::default(), Arc::new(AtomicBool::new(false)));
    let leave = Rc::new(Notify::new());
    let app = harness
        .app(|config| {
            let (runs, hangs, leave) = (runs.clone(), Arc::clone(&hangs), Rc::clone(&leave));
            let handler = move || {
                let (hangs, leave) = (Arc::clone(&hangs), Rc::clone(&leave));
                runs.count();
                async move {
                    if hangs.load(Ordering::SeqCst) {
                        leave.notified().await;
                    }
                    HttpResponse::Ok().body("slow")
                }
            };
            config.route("/{id}", web::get().to(handler).wrap(ROW));
        })
        .await;
    for id in 0..10 {
        get(&app, &format!("/{id}")).await;
    }
    hangs.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        for id in 0..10 {
            assert!(get(&app, &format!("/{id}")).await.is_hit());
        }
    }
    eventually("four handlers run", async || runs.total() == 14).await;
    assert!(get(&app, "/9").await.is_hit());
    assert_eq!(runs.total(), 14);
    leave.notify_waiters();
    eventually("further hits are compared", async || {
        get(&app, "/9").await;
        runs.total() > 14
    })
    .await;
}

#[actix_web::test]
async fn c50_without_the_setting_no_handler_runs_again() {
    for harness in Harness::on_every_backend().await {
        let table = Table::default();
        let app = harness.app(table.routes()).await;
        for _ in 0..50 {
            get(&app, "/1").await;
        }
        assert_eq!(table.reads.total(), 1, "{:?}", harness.kind);
    }
}
