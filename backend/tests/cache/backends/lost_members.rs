//! The index of a pattern misses no key (C37), even if a client stops after any step.
//!
//! Come here after a change of `redis::patterns` or `redis::set`. The cost of a deletion is in
//! `patterns`.

use std::time::Duration;

use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};
use futures_util::future::join_all;
use redis::AsyncCommands;

use crate::harness::{Harness, backend, get, settings};
use crate::server_access::{connect_to_redis, put_proxy_before};
use crate::support::proxy::{Mode, Proxy};

const SEGMENT: CachePolicy = CachePolicy::new("seg").resource_id_name("id").shared();

/// A cache behind a proxy, and a cache on the same server without the proxy.
async fn behind_proxy_and_beside() -> (Harness, Proxy, Harness) {
    let direct = settings(CacheBackendKind::Redis);
    let mut through = CacheSettings {
        cache_operation_timeout_ms: 1000,
        ..direct.clone()
    };
    let proxy = put_proxy_before(&mut through).await;
    let beside = Harness::with_settings(direct).await;
    (Harness::with_settings(through).await, proxy, beside)
}

#[actix_web::test]
async fn c37_a_claim_over_a_damaged_value_is_added_to_the_index() {
    let harness = Harness::new(CacheBackendKind::Redis).await;
    let app = harness.numbered_app(SEGMENT).await;
    let mut server = connect_to_redis(harness.settings.cache_redis_port).await;
    get(&app, "/1").await;
    let key = harness.full_key("seg:1");
    let entry: Vec<u8> = server.get(&key).await.unwrap();
    harness.cache.delete_pattern("seg:*").await.unwrap();
    // The value begins like an entry, so it is compared by its head.
    for damaged in [entry[..entry.len() - 1].to_vec(), b"foreign".to_vec()] {
        let () = server.set_ex(&key, damaged, 60).await.unwrap();
        for _ in 0..2 {
            get(&app, "/1").await;
        }
        assert!(get(&app, "/1").await.is_hit());
        harness.cache.delete_pattern("seg:*").await.unwrap();
        assert!(!get(&app, "/1").await.is_hit());
        harness.cache.delete_pattern("seg:*").await.unwrap();
    }
}

#[actix_web::test]
async fn c37_a_value_that_may_be_missing_in_the_index_is_no_answer() {
    for word in ["EVAL", "~index:seg", "SET"] {
        let (through, proxy, beside) = behind_proxy_and_beside().await;
        beside.cache.delete_pattern("seg:*").await.unwrap();
        through.cache.set("other", &0, None).await.unwrap();
        proxy.set_for_open(Mode::CutBefore(word));
        let set = through.cache.set("seg:1", &1, None).await;
        assert!(set.is_err(), "{word}");
        beside.cache.delete_pattern("seg:*").await.unwrap();
        let found: Option<i32> = beside.cache.get("seg:1").await.unwrap();
        assert_eq!(found, None, "{word}");
    }
    // The same with an answer that does not arrive.
    let (through, proxy, beside) = behind_proxy_and_beside().await;
    beside.cache.delete_pattern("seg:*").await.unwrap();
    through.cache.set("other", &0, None).await.unwrap();
    proxy.set_for_open(Mode::CutAnswers);
    assert!(through.cache.set("seg:1", &1, None).await.is_err());
    beside.cache.delete_pattern("seg:*").await.unwrap();
    let found: Option<i32> = beside.cache.get("seg:1").await.unwrap();
    assert_eq!(found, None);
}

#[actix_web::test]
async fn c37_the_next_deletion_finds_the_keys_that_an_interrupted_one_left() {
    // The commands before this one were executed; this one and the later ones are lost.
    for word in ["UNLINK", "SREM"] {
        let (through, proxy, beside) = behind_proxy_and_beside().await;
        beside.cache.delete_pattern("seg:*").await.unwrap();
        for number in 0..50 {
            let key = format!("seg:{number}");
            beside.cache.set(&key, &number, None).await.unwrap();
        }
        through.cache.get::<i32>("seg:1").await.unwrap();
        proxy.set(Mode::CutBefore(word));
        assert!(
            through.cache.delete_pattern("seg:*").await.is_err(),
            "{word}"
        );
        proxy.set(Mode::Refuse);
        // Without the breakers: the failed deletion has made the generation worthless.
        let backend = backend(&beside.settings);
        backend
            .delete_pattern(&beside.full_key("seg:*"))
            .await
            .unwrap();
        for number in 0..50 {
            let key = beside.full_key(&format!("seg:{number}"));
            assert_eq!(backend.get(&key).await.unwrap(), None, "{word}: {key}");
        }
    }
}

#[actix_web::test]
async fn c37_of_two_deletions_at_once_neither_returns_before_every_key_is_gone() {
    let harness = Harness::new(CacheBackendKind::Redis).await;
    let backend = backend(&harness.settings);
    let pattern = harness.full_key("seg:*");
    backend.delete_pattern(&pattern).await.unwrap();
    let minute = Duration::from_mins(1);
    for round in 0..30 {
        let keys: Vec<_> = (0..40)
            .map(|number| harness.full_key(&format!("seg:{round}_{number}")))
            .collect();
        let value = bytes::Bytes::from_static(b"foreign");
        join_all(
            keys.iter()
                .map(|key| backend.set(key, value.clone(), minute)),
        )
        .await;
        let deletions = (0..4).map(async |_| {
            backend.delete_pattern(&pattern).await.unwrap();
            for key in &keys {
                assert_eq!(backend.get(key).await.unwrap(), None);
            }
        });
        join_all(deletions).await;
    }
}
