//! Old answers in place of a handler's failure (C38): the length of waits, and answers that are never
//! given. Come here when requests wait for a handler that hangs.

use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use tokio::time::timeout;

use crate::harness::{Harness, get};
use crate::source::{ITEM, Source};
use crate::support::eventually;

#[actix_web::test]
async fn c38_every_request_is_covered_while_a_handler_hangs() {
    for harness in Harness::on_every_backend_with(|settings| {
        settings.cache_collapse_wait_ms = 50;
    })
    .await
    {
        let kind = harness.kind;
        let source = Source::new();
        let app = source.app(&harness, ITEM.stale_if_error(300)).await;
        get(&app, "/1").await;
        harness.clock.advance(Duration::from_secs(100));
        source.close();
        // Far more than the deadline of the handler takes, and far less than the life of a claim for each.
        let covered = timeout(Duration::from_secs(8), async {
            for _ in 0..10 {
                let reply = get(&app, "/1").await;
                let stale = "backend; fwd=stale; detail=stale-if-error";
                assert_eq!((reply.text().as_str(), reply.outcome()), ("1", stale));
            }
        });
        assert!(covered.await.is_ok(), "requests wait too long on {kind:?}");
        assert_eq!(source.runs(), 2, "one handler runs for all: {kind:?}");
        source.open();
    }
}

#[actix_web::test]
async fn c38_without_a_collapse_wait_the_handler_still_has_the_time_to_answer() {
    for harness in Harness::on_every_backend_with(|settings| {
        settings.cache_collapse_wait_ms = 0;
    })
    .await
    {
        let kind = harness.kind;
        let source = Source::new();
        let app = Rc::new(source.app(&harness, ITEM.stale_if_error(300)).await);
        get(&*app, "/1").await;
        source.set(2);
        harness.clock.advance(Duration::from_secs(100));
        source.close();
        let reader = {
            let app = Rc::clone(&app);
            rt::spawn(async move { get(&*app, "/1").await })
        };
        eventually("the handler runs", async || source.runs() == 2).await;
        // A request that begins later is answered before: an old answer that is given at once is given by then.
        let beside = harness.numbered_app(ITEM).await;
        eventually("a later request is a hit", async || {
            get(&beside, "/2").await.is_hit()
        })
        .await;
        assert!(!reader.is_finished(), "an old answer was given: {kind:?}");
        source.open();
        let reply = reader.await.unwrap();
        assert_eq!(reply.text(), "2", "{reply:?} on {kind:?}");
        // And a hanging handler is replaced by the old answer.
        harness.clock.advance(Duration::from_secs(100));
        source.close();
        assert_eq!(get(&*app, "/1").await.text(), "2", "{kind:?}");
        source.open();
    }
}

#[actix_web::test]
async fn c41_a_404_that_has_expired_covers_no_handler() {
    for harness in Harness::on_every_backend().await {
        for policy in [ITEM.stale_if_error(300), ITEM.stale_while_revalidate(300)] {
            harness.cache.delete("item:1").await.unwrap();
            let source = Source::new();
            source.answer_with(404);
            let app = source.app(&harness, policy.negative(5)).await;
            get(&app, "/1").await;
            assert!(get(&app, "/1").await.is_hit());
            source.answer_with(500);
            harness.clock.advance(Duration::from_secs(6));
            let reply = get(&app, "/1").await;
            assert_eq!(reply.status, 500, "{reply:?} on {:?}", harness.kind);
        }
    }
}
