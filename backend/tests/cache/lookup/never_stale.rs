//! No old value is stored or given after a write (C33), with forced interleavings.
//!
//! Come here for an order of a read and a write in which an old value might be kept. All orders are explored by
//! `tests/model`.

use std::time::Duration;

use backend::infrastructure::settings::CacheBackendKind;

use crate::harness::{Harness, backend, get, post};
use crate::row::{Row, WAYS, start, works_on};
use crate::server_access::put_proxy_before;
use crate::support::eventually;
use crate::support::proxy::Mode;

#[actix_web::test]
async fn c33_a_value_from_before_a_write_is_never_stored_after_its_invalidation() {
    for harness in Harness::on_every_backend().await {
        // In this process, and from another one where the backend is shared.
        let other = harness.another_if_shared().await;
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
                // An entry of an ended group may be stored, but is never an answer.
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
            let proxy = put_proxy_before(&mut slow).await;
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
        // As by expiry, eviction and `redis-cli DEL`: without the cache.
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
