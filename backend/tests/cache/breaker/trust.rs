//! Trust while a look-up waits, and in a process that was frozen (C35, C58).
//!
//! Come here when an entry is an answer although it was stored before an outage.

use std::time::{Duration, Instant};

use backend::infrastructure::settings::CacheBackendKind;

use super::steered::Steered;
use crate::harness::{Harness, get, post, settings};
use crate::row::Row;
use crate::support::eventually;

/// Waits until the record under this key is that of the server's second process.
async fn begins_new_generation(steered: &Steered, record: &[String]) {
    eventually("the instance has begun a new generation", async || {
        let records = steered.snapshot(record).await;
        let text = String::from_utf8(records[0].1.to_vec()).unwrap();
        text.contains("server%202")
    })
    .await;
}

/// The look-up reads the entry of an old snapshot. Before it has the answer, its instance notices the other
/// server, begins a new generation and trusts the backend again.
#[actix_web::test]
async fn c35_a_look_up_that_waited_through_an_outage_and_the_recovery_answers_nothing_from_before_it()
 {
    let (harness, steered) = Steered::harness().await;
    let row = Row::default();
    let app = std::rc::Rc::new(harness.app(row.routes()).await);
    get(&*app, "/items/1").await;
    assert!(get(&*app, "/items/1").await.is_hit());
    let keys = ["item:1", "~generation"].map(|key| harness.full_key(key));
    let old = steered.snapshot(&keys).await;
    assert_eq!(post(&*app, "/items/1").await.status, 204);

    steered.restart_with(old).await;
    steered.hold();
    let waiting = crate::row::start(&app, "/items/1");
    steered.is_held().await;
    begins_new_generation(&steered, &keys[1..]).await;
    eventually("the backend is trusted again", async || {
        harness.cache.set("probe:1", &1, None).await.is_ok()
    })
    .await;
    steered.release();
    let reply = waiting.await.unwrap();
    assert_eq!(reply.text(), "2", "{reply:?}");
    assert!(!reply.is_hit(), "{reply:?}");
}

/// An instance that has not reached the server yet, and is not in its record, may hold deletions for so long.
#[actix_web::test]
async fn c35_a_failure_during_a_recovery_does_not_shorten_it() {
    let (harness, steered) = Steered::harness().await;
    let record = [harness.full_key("~generation")];
    let old = steered.snapshot(&record).await;
    let began = Instant::now();
    steered.restart_with(old).await;
    begins_new_generation(&steered, &record).await;
    steered.fail_next_visit();
    steered.visit_has_failed().await;
    eventually("the backend is trusted again", async || {
        harness.cache.set("probe:1", &1, None).await.is_ok()
    })
    .await;
    // With the deadline of 5 s of these tests; see `breaker::intervals`.
    let settle = Duration::from_secs(2);
    assert!(began.elapsed() >= settle, "{:?}", began.elapsed());
}

#[actix_web::test]
async fn c58_a_process_that_was_frozen_trusts_nothing_until_it_has_confirmed_the_generation() {
    let mut settings = settings(CacheBackendKind::Memory);
    settings.cache_operation_timeout_ms = 250;
    let harness = Harness::with_settings(settings).await;
    let row = Row::default();
    let app = harness.app(row.routes()).await;
    get(&app, "/items/1").await;
    assert!(get(&app, "/items/1").await.is_hit());
    // The whole process, for longer than the lease: the supervisor is on this thread.
    std::thread::sleep(Duration::from_secs(2));
    let reply = get(&app, "/items/1").await;
    assert_eq!(reply.outcome(), "backend; fwd=bypass; detail=unavailable");
    eventually("there are hits again", async || {
        get(&app, "/items/1").await.is_hit()
    })
    .await;
}
