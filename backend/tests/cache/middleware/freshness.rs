//! Freshness options (C38–C41), on a clock that the tests move.
//!
//! Come here after changing lifetimes, refreshes or stale answers.

use std::time::Duration;

use backend::infrastructure::settings::CacheBackendKind;

use crate::harness::{Harness, get, post, settings};
use crate::source::{ITEM, Source};
use crate::support::eventually;

#[actix_web::test]
async fn c38_while_revalidating_the_old_answer_is_given_at_once_and_refreshed_once() {
    for harness in Harness::on_every_backend().await {
        let source = Source::new();
        let app = source.app(&harness, ITEM.stale_while_revalidate(30)).await;
        get(&app, "/1").await;
        source.set(2);
        harness.clock.advance(Duration::from_secs(65));
        source.close();
        for _ in 0..5 {
            let reply = get(&app, "/1").await;
            assert_eq!(
                (reply.text(), reply.outcome()),
                ("1".to_owned(), "backend; hit; ttl=-5"),
                "{:?}",
                harness.kind
            );
        }
        eventually("the refresh runs", async || source.runs() == 2).await;
        source.open();
        eventually("the new answer is there", async || {
            get(&app, "/1").await.text() == "2"
        })
        .await;
        assert_eq!(source.runs(), 2, "one refresh for all");
        // After its time the old answer is never used.
        source.set(3);
        harness.clock.advance(Duration::from_secs(91));
        assert_eq!(get(&app, "/1").await.text(), "3", "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c38_an_invalidated_answer_is_never_given_while_revalidating_nor_stored_by_a_refresh() {
    for harness in Harness::on_every_backend().await {
        let source = Source::new();
        let app = source
            .app(
                &harness,
                ITEM.stale_while_revalidate(30).stale_if_error(300),
            )
            .await;
        get(&app, "/1").await;
        harness.clock.advance(Duration::from_secs(65));
        source.close();
        assert_eq!(get(&app, "/1").await.text(), "1");
        eventually("the refresh has read the old value", async || {
            source.runs() == 2
        })
        .await;
        source.set(2);
        post(&app, "/1").await;
        source.open();
        for _ in 0..3 {
            assert_eq!(get(&app, "/1").await.text(), "2", "{:?}", harness.kind);
        }
        post(&app, "/1").await;
        source.answer_with(500);
        assert_eq!(
            get(&app, "/1").await.status,
            500,
            "deleted is deleted: {:?}",
            harness.kind
        );
    }
}

#[actix_web::test]
async fn c38_a_failing_handler_is_covered_by_the_old_answer_for_as_long_as_the_policy_says() {
    for harness in Harness::on_every_backend().await {
        let source = Source::new();
        let app = source.app(&harness, ITEM.stale_if_error(300)).await;
        get(&app, "/1").await;
        source.answer_with(503);
        source.set(2);
        harness.clock.advance(Duration::from_secs(100));
        let covered = get(&app, "/1").await;
        assert_eq!(
            (covered.status, covered.text()),
            (200, "1".to_owned()),
            "{:?}",
            harness.kind
        );
        assert_eq!(
            covered.outcome(),
            "backend; fwd=stale; detail=stale-if-error"
        );
        source.answer_with(404);
        assert_eq!(
            get(&app, "/1").await.status,
            404,
            "only a failure is covered"
        );
        source.answer_with(500);
        harness.clock.advance(Duration::from_mins(5));
        assert_eq!(get(&app, "/1").await.status, 500, "{:?}", harness.kind);
        source.answer_with(200);
        assert_eq!(get(&app, "/1").await.text(), "2");
    }
}

#[actix_web::test]
async fn c38_a_handler_past_its_deadline_is_covered_and_its_answer_is_stored() {
    for harness in Harness::on_every_backend_with(|settings| {
        settings.cache_collapse_wait_ms = 50;
    })
    .await
    {
        let kind = harness.kind;
        let source = Source::new();
        let app = source.app(&harness, ITEM.stale_if_error(300)).await;
        get(&app, "/1").await;
        source.set(2);
        harness.clock.advance(Duration::from_secs(100));
        source.close();
        assert_eq!(get(&app, "/1").await.text(), "1", "{kind:?}");
        source.open();
        eventually("the late answer is stored", async || {
            let reply = get(&app, "/1").await;
            reply.is_hit() && reply.text() == "2"
        })
        .await;
        assert_eq!(source.runs(), 2, "{kind:?}");
    }
}

#[actix_web::test]
async fn c39_a_hot_entry_is_refreshed_before_it_expires_and_never_missed() {
    for harness in Harness::on_every_backend().await {
        let source = Source::new();
        let app = source.app(&harness, ITEM.early_refresh()).await;
        get(&app, "/1").await;
        source.set(2);
        // A millisecond before its end almost every request refreshes an entry that took a millisecond or more.
        harness.clock.advance(Duration::from_millis(59_999));
        eventually("a request refreshes it", async || {
            assert!(get(&app, "/1").await.is_hit(), "{:?}", harness.kind);
            source.runs() > 1
        })
        .await;
        eventually("the new answer is there", async || {
            get(&app, "/1").await.text() == "2"
        })
        .await;
    }
}

#[actix_web::test]
async fn c39_an_entry_far_from_its_end_is_left_alone() {
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let source = Source::new();
    let app = source.app(&harness, ITEM.early_refresh()).await;
    for _ in 0..200 {
        get(&app, "/1").await;
    }
    assert_eq!(source.runs(), 1);
}

#[actix_web::test]
async fn c40_expirations_differ_by_up_to_the_jitter_and_are_never_lengthened() {
    let mut settings = settings(CacheBackendKind::Memory);
    settings.cache_expiration_jitter_percent = 50;
    let harness = Harness::with_settings(settings).await;
    let source = Source::new();
    let app = source.app(&harness, ITEM).await;
    let mut left = Vec::new();
    for id in 0..100 {
        get(&app, &format!("/{id}")).await;
        let reply = get(&app, &format!("/{id}")).await;
        let ttl: u64 = reply.outcome().rsplit('=').next().unwrap().parse().unwrap();
        left.push(ttl);
    }
    assert!(left.iter().all(|ttl| (30..=60).contains(ttl)), "{left:?}");
    left.sort_unstable();
    left.dedup();
    assert!(left.len() > 10, "{left:?}");
}

#[actix_web::test]
async fn c41_a_404_is_kept_for_its_own_short_time_and_ended_by_a_write() {
    for harness in Harness::on_every_backend().await {
        let source = Source::new();
        source.answer_with(404);
        let app = source.app(&harness, ITEM.negative(5)).await;
        assert_eq!(
            get(&app, "/1").await.outcome(),
            "backend; fwd=uri-miss; stored"
        );
        let hit = get(&app, "/1").await;
        assert_eq!(
            (hit.status, hit.outcome()),
            (404, "backend; hit; ttl=5"),
            "{:?}",
            harness.kind
        );
        source.answer_with(200);
        harness.clock.advance(Duration::from_secs(5));
        assert_eq!(
            get(&app, "/1").await.status,
            200,
            "it ends sooner than an answer"
        );
        source.answer_with(404);
        get(&app, "/2").await;
        source.answer_with(200);
        post(&app, "/2").await;
        assert_eq!(
            get(&app, "/2").await.status,
            200,
            "created is there: {:?}",
            harness.kind
        );
        // Other errors are not kept, and without the option neither is a 404.
        source.answer_with(410);
        get(&app, "/3").await;
        assert!(!get(&app, "/3").await.is_hit());
        source.answer_with(404);
        let plain = source.app(&harness, ITEM).await;
        get(&plain, "/4").await;
        assert!(!get(&plain, "/4").await.is_hit());
    }
}
