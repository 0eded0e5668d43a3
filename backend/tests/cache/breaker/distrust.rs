//! Distrusting everything: when it is acknowledged no instance trusts an earlier entry (C58), and it is
//! kept while the backend is unavailable (C51).
//!
//! Come here after changing the generation of the namespace or its confirmation.

use backend::infrastructure::cache::CacheHealth;
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use super::steered::Steered;
use crate::harness::{Harness, get, post, settings};
use crate::row::Row;
use crate::server_access::put_proxy_before;
use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};

/// Settings with a short deadline, once direct and once through a proxy.
async fn direct_and_behind_proxy(kind: CacheBackendKind) -> (CacheSettings, CacheSettings, Proxy) {
    let mut direct = settings(kind);
    direct.cache_operation_timeout_ms = 250;
    let mut proxied = direct.clone();
    let proxy = put_proxy_before(&mut proxied).await;
    (direct, proxied, proxy)
}

#[actix_web::test]
async fn c58_when_the_cache_is_cleared_no_other_instance_trusts_an_entry_from_before() {
    for harness in Harness::on_shared_backends().await {
        let other = harness.another().await;
        let row = Row::default();
        let beside = other.app(row.routes()).await;
        for _ in 0..3 {
            get(&beside, "/items/1").await;
            eventually("there are hits", async || {
                get(&beside, "/items/1").await.is_hit()
            })
            .await;
            row.write();
            harness.cache.clear().await.unwrap();
            let reply = get(&beside, "/items/1").await;
            assert!(!reply.is_hit(), "{:?}: {reply:?}", harness.kind);
        }
    }
}

/// The record of the namespace stays, so that no visit misses it.
#[actix_web::test]
async fn c24_the_cache_is_read_while_it_is_cleared() {
    let (harness, steered) = Steered::harness().await;
    let other = steered.another(&harness).await;
    for instance in [&harness, &other] {
        eventually("the cache is trusted", async || {
            instance.cache.exists("number:1").await.is_ok()
        })
        .await;
    }
    steered.hold();
    let clearing = async { harness.cache.clear().await };
    let reading = async {
        steered.is_held().await;
        let before = steered.visits();
        eventually("both visit the record", async || {
            for instance in [&harness, &other] {
                instance.cache.exists("number:1").await.unwrap();
            }
            steered.visits() > before + 5
        })
        .await;
        steered.release();
    };
    let (cleared, ()) = tokio::join!(clearing, reading);
    cleared.unwrap();
}

/// Both instances are healthy all the time.
#[actix_web::test]
async fn c58_a_failed_deletion_by_pattern_is_acknowledged_when_no_instance_trusts_the_missed_keys()
{
    let (harness, steered) = Steered::harness().await;
    let other = steered.another(&harness).await;
    let row = Row::default();
    let app = harness.app(row.routes()).await;
    let beside = other.app(row.routes()).await;
    for round in 2..5 {
        eventually("both have hits", async || {
            get(&app, "/ada/pages/1").await.is_hit() && get(&beside, "/ada/pages/1").await.is_hit()
        })
        .await;
        steered.fail_next_pattern();
        assert_eq!(post(&app, "/ada/by-pattern").await.status, 204);
        let reply = get(&beside, "/ada/pages/1").await;
        assert_eq!(reply.text(), round.to_string(), "{reply:?}");
    }
}

#[actix_web::test]
async fn c51_a_clear_while_the_backend_is_unavailable_happens_with_the_recovery() {
    for kind in [CacheBackendKind::Redis, CacheBackendKind::Memcached] {
        let (direct, proxied, proxy) = direct_and_behind_proxy(kind).await;
        let harness = Harness::with_settings(proxied).await;
        harness.cache.set("item:1", &1, None).await.unwrap();
        proxy.set(Mode::Refuse);
        eventually("the breaker is open", async || {
            let _ = harness.cache.exists("item:1").await;
            harness.cache.health() == CacheHealth::Down
        })
        .await;
        assert!(harness.cache.clear().await.is_err(), "{kind:?}");
        proxy.set(Mode::Pass);
        eventually("the cache is trusted again", async || {
            harness.cache.set("probe:1", &1, None).await.is_ok()
        })
        .await;
        assert!(!harness.cache.exists("item:1").await.unwrap(), "{kind:?}");
        if kind == CacheBackendKind::Redis {
            let server = crate::harness::backend(&direct);
            let key = harness.full_key("item:1");
            eventually("the entry is removed", async || {
                server.get(&key).await.unwrap().is_none()
            })
            .await;
        }
    }
}
