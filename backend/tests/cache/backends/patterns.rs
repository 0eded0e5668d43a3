//! The cost of a deletion by pattern on Redis (C37), and the completeness of its index.
//!
//! Come here when `redis::patterns` changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backend::infrastructure::settings::CacheBackendKind;
use futures_util::future::join_all;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::harness::{Harness, backend};
use crate::support::variable;

/// The commands with keys of a namespace that a server receives while a future runs.
async fn commands_during(namespace: &str, work: impl Future<Output = ()>) -> Vec<String> {
    let address = format!("127.0.0.1:{}", variable("TEST_REDIS_PORT"));
    let mut connection = BufReader::new(TcpStream::connect(address).await.unwrap());
    connection.write_all(b"MONITOR\r\n").await.unwrap();
    let mut line = String::new();
    connection.read_line(&mut line).await.unwrap();
    assert_eq!(line.trim(), "+OK");
    work.await;
    connection
        .write_all(format!("ECHO end-of-{namespace}\r\n").as_bytes())
        .await
        .unwrap();
    let mut commands = Vec::new();
    loop {
        line.clear();
        connection.read_line(&mut line).await.unwrap();
        if line.contains(&format!("end-of-{namespace}")) {
            return commands;
        }
        if line.contains(namespace) {
            commands.push(line.clone());
        }
    }
}

async fn set_all(harness: &Harness, keys: impl Iterator<Item = String>) {
    for key in keys {
        harness.cache.set(&key, &1, None).await.unwrap();
    }
}

async fn existing(harness: &Harness, keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut found = Vec::new();
    for key in keys {
        if harness.cache.exists(&key).await.unwrap() {
            found.push(key);
        }
    }
    found
}

#[actix_web::test]
async fn c37_after_the_first_time_a_deletion_by_pattern_scans_nothing() {
    let harness = Harness::new(CacheBackendKind::Redis).await;
    let pages = || (0..30).map(|page| format!("list_ada:page_{page}"));
    let scans = async |pattern: &str| {
        set_all(&harness, pages()).await;
        set_all(&harness, ["other:1".to_owned()].into_iter()).await;
        let namespace = &harness.settings.cache_namespace;
        let commands = commands_during(namespace, async {
            harness.cache.delete_pattern(pattern).await.unwrap();
        })
        .await;
        assert_eq!(
            existing(&harness, pages()).await,
            Vec::<String>::new(),
            "{pattern}"
        );
        assert!(harness.cache.exists("other:1").await.unwrap());
        let count = |name: &str| {
            commands
                .iter()
                .filter(|command| command.contains(name))
                .count()
        };
        assert_eq!(count("\"KEYS\""), 0);
        (count("\"SCAN\""), count("\"SSCAN\""))
    };
    let (first, _) = scans("list_ada:*").await;
    assert!(first > 0);
    for pattern in ["list_ada:*", "list_ada:page_*", "list_ada:page_?*"] {
        let (scans, reads) = scans(pattern).await;
        assert_eq!(scans, 0, "{pattern}");
        assert!(reads > 0, "{pattern}");
    }
    // A head that ends within a segment.
    assert!(scans("list_a*").await.0 > 0);
}

#[actix_web::test]
async fn c37_the_index_has_earlier_keys_and_keeps_those_that_do_not_match() {
    let harness = Harness::new(CacheBackendKind::Redis).await;
    set_all(&harness, (0..50).map(|number| format!("list:old_{number}"))).await;
    harness.cache.delete_pattern("list:none_*").await.unwrap();
    set_all(&harness, (0..50).map(|number| format!("list:new_{number}"))).await;
    harness.cache.delete_pattern("list:new_*").await.unwrap();
    assert_eq!(
        existing(&harness, (0..50).map(|number| format!("list:old_{number}")))
            .await
            .len(),
        50
    );
    assert!(
        existing(&harness, (0..50).map(|number| format!("list:new_{number}")))
            .await
            .is_empty()
    );
    harness.cache.delete_pattern("list:*").await.unwrap();
    assert!(
        existing(&harness, (0..50).map(|number| format!("list:old_{number}")))
            .await
            .is_empty()
    );
}

#[actix_web::test]
async fn c37_an_index_that_the_server_lost_is_rebuilt() {
    let harness = Harness::new(CacheBackendKind::Redis).await;
    harness.cache.delete_pattern("list:*").await.unwrap();
    set_all(&harness, (0..20).map(|number| format!("list:{number}"))).await;
    // As by expiry and by the eviction of a full server.
    backend(&harness.settings)
        .delete(&[harness.full_key("~index:list")])
        .await
        .unwrap();
    set_all(&harness, (20..40).map(|number| format!("list:{number}"))).await;
    harness.cache.delete_pattern("list:*").await.unwrap();
    assert!(
        existing(&harness, (0..40).map(|number| format!("list:{number}")))
            .await
            .is_empty()
    );
}

#[actix_web::test]
async fn c37_while_many_store_and_delete_no_key_from_before_a_deletion_survives_it() {
    let harness = Harness::new(CacheBackendKind::Redis).await;
    let other = harness.another().await;
    let stop = AtomicBool::new(false);
    // Others keep storing, deleting and losing the index meanwhile.
    let noise = (0..6).map(|task| {
        let (cache, stop, settings) = (&other.cache, &stop, &other.settings);
        let index = other.full_key("~index:list");
        async move {
            let mut number = 0;
            while !stop.load(Ordering::SeqCst) {
                number += 1;
                cache
                    .set(&format!("list:noise_{task}_{}", number % 20), &number, None)
                    .await
                    .unwrap();
                if task == 0 {
                    cache.delete_pattern("list:noise_*").await.unwrap();
                }
                if task == 1 && number % 10 == 0 {
                    backend(settings)
                        .delete(std::slice::from_ref(&index))
                        .await
                        .unwrap();
                }
            }
        }
    });
    let checked = async {
        for round in 0..60 {
            let keys = || (0..10).map(move |number| format!("list:own_{}", (round + number) % 15));
            set_all(&harness, keys()).await;
            harness.cache.delete_pattern("list:*").await.unwrap();
            assert_eq!(
                existing(&harness, keys()).await,
                Vec::<String>::new(),
                "round {round}"
            );
        }
        stop.store(true, Ordering::SeqCst);
    };
    tokio::time::timeout(Duration::from_mins(1), async {
        tokio::join!(checked, join_all(noise))
    })
    .await
    .expect("an end");
}
