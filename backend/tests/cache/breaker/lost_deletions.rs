//! Deletions that fail, and the trust in entries afterwards (C35).
//!
//! Come here for an invalidation that the server does not confirm.

use backend::infrastructure::settings::CacheBackendKind;
use futures_util::future::join_all;

use crate::harness::{Harness, Log, get, post, settings};
use crate::row::{Row, WAYS, works_on};
use crate::server_access::put_proxy_before;
use crate::support::eventually;
use crate::support::proxy::Mode;

/// Two instances behind one proxy, which fails while one of them writes.
async fn check_lost_deletion(kind: CacheBackendKind, mode: Mode, read: &str, write: &str) {
    let mut settings = settings(kind);
    settings.cache_operation_timeout_ms = 250;
    let proxy = put_proxy_before(&mut settings).await;
    let harness = Harness::with_settings(settings).await;
    let other = harness.another().await;
    let row = Row::default();
    let (app, beside) = (
        harness.app(row.routes()).await,
        other.app(row.routes()).await,
    );
    // A busy machine may exceed the short deadline, which begins an outage too.
    eventually("there are hits on both", async || {
        get(&app, read).await.is_hit() && get(&beside, read).await.is_hit()
    })
    .await;
    proxy.set(mode);
    assert_eq!(post(&app, write).await.status, 204);
    // The other instance sees the outage too.
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
                // At the same time, since each waits for its recovery.
                let modes = [Mode::Refuse, Mode::Stall, Mode::Garbage, Mode::CutAnswers];
                let checks = modes.map(|mode| check_lost_deletion(kind, mode, read, write));
                join_all(checks).await;
            }
        }
    }
}

#[actix_web::test]
async fn c35_more_pending_deletions_than_are_kept_distrust_everything_and_say_so() {
    let mut settings = settings(CacheBackendKind::Redis);
    settings.cache_operation_timeout_ms = 250;
    let proxy = put_proxy_before(&mut settings).await;
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
        log.lines_with(&["too many pending cache deletions"]).len(),
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
