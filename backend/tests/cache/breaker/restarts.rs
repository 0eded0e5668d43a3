//! The trust of a new instance, after others that ended cleanly, were killed, or still hold pending
//! deletions (C58).
//!
//! Come here after changing what an instance does at its start and at its end.

use std::time::{Duration, Instant};

use backend::infrastructure::cache::CacheHealth;
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::harness::{Harness, Log, settings};
use crate::server_access::put_proxy_before;
use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};

const KINDS: [CacheBackendKind; 2] = [CacheBackendKind::Redis, CacheBackendKind::Memcached];
const KEY: &str = "item:1";

/// An instance behind a proxy with a stored entry and its pending deletion, and settings for others that
/// reach the server directly.
async fn with_pending_deletion(kind: CacheBackendKind) -> (Harness, Proxy, CacheSettings) {
    let mut direct = settings(kind);
    direct.cache_operation_timeout_ms = 250;
    let mut proxied = direct.clone();
    let proxy = put_proxy_before(&mut proxied).await;
    let harness = Harness::with_settings(proxied).await;
    harness.cache.set(KEY, &"old", None).await.unwrap();
    assert!(harness.cache.exists(KEY).await.unwrap());
    proxy.set(Mode::Refuse);
    assert!(harness.cache.delete(KEY).await.is_err());
    assert_eq!(harness.cache.health(), CacheHealth::Down);
    (harness, proxy, direct)
}

/// Waits until the instance trusts the cache. Until then and afterwards the old entry is no answer.
async fn trusts_and_never_serves_the_old_entry(instance: &Harness) {
    eventually("the cache is trusted", async || {
        let old: Option<String> = instance.cache.get(KEY).await.unwrap_or_default();
        assert_eq!(old, None, "{:?}", instance.kind);
        instance.cache.set("probe:1", &1, None).await.is_ok()
    })
    .await;
    let old: Option<String> = instance.cache.get(KEY).await.unwrap();
    assert_eq!(old, None, "{:?}", instance.kind);
}

fn soon(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[actix_web::test]
async fn c58_hits_survive_a_clean_restart() {
    for harness in Harness::on_shared_backends().await {
        harness.cache.set(KEY, &1, None).await.unwrap();
        harness.cache.leave(soon(10)).await;
        let next = harness.another().await;
        assert!(next.cache.exists(KEY).await.unwrap(), "{:?}", harness.kind);
        // Also beside an instance that is available.
        let beside = harness.another().await;
        assert!(
            beside.cache.exists(KEY).await.unwrap(),
            "{:?}",
            harness.kind
        );
    }
}

#[actix_web::test]
async fn c58_pending_deletions_of_a_killed_process_leave_nothing_stale_in_the_next_one() {
    for kind in KINDS {
        let (harness, _proxy, direct) = with_pending_deletion(kind).await;
        drop(harness);
        let next = Harness::with_settings(direct).await;
        trusts_and_never_serves_the_old_entry(&next).await;
    }
}

#[actix_web::test]
async fn c58_an_instance_that_starts_beside_one_with_pending_deletions_serves_none_of_their_entries()
 {
    for kind in KINDS {
        let (harness, proxy, direct) = with_pending_deletion(kind).await;
        let next = Harness::with_settings(direct).await;
        let old: Option<String> = next.cache.get(KEY).await.unwrap_or_default();
        assert_eq!(old, None, "{kind:?}");
        proxy.set(Mode::Pass);
        trusts_and_never_serves_the_old_entry(&next).await;
        trusts_and_never_serves_the_old_entry(&harness).await;
    }
}

#[actix_web::test]
async fn c58_at_its_end_an_instance_delivers_pending_deletions() {
    for kind in KINDS {
        let (harness, proxy, direct) = with_pending_deletion(kind).await;
        proxy.set(Mode::Pass);
        let log = Log::collect();
        harness.cache.leave(soon(10)).await;
        assert_eq!(log.lines_with(&["were not delivered"]).len(), 0, "{kind:?}");
        let server = crate::harness::backend(&direct);
        let found = server.get(&harness.full_key(KEY)).await.unwrap();
        assert_eq!(found, None, "{kind:?}");
        // It has left, so the next one waits for no instance.
        let next = Harness::with_settings(direct).await;
        next.cache.set("probe:1", &1, None).await.unwrap();
        trusts_and_never_serves_the_old_entry(&next).await;
    }
}

#[actix_web::test]
async fn c58_at_its_end_an_instance_names_the_deletions_that_it_could_not_deliver() {
    for kind in KINDS {
        let (harness, _proxy, direct) = with_pending_deletion(kind).await;
        let log = Log::collect();
        harness.cache.leave(soon(1)).await;
        let key = harness.full_key(KEY);
        // The key, and the record of the resource's variants.
        let lines = log.lines_with(&["WARN", "were not delivered", "pending=2", &key]);
        assert_eq!(lines.len(), 1, "{kind:?}: {:?}", log.lines_with(&[]));
        drop(log);
        let next = Harness::with_settings(direct).await;
        trusts_and_never_serves_the_old_entry(&next).await;
    }
}
