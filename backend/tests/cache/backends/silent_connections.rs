//! Connections that were dropped without notice, or closed while they were idle (C57).
//!
//! Come here with a new way in which single connections fail. Whole outages are in `breaker` and `resilience`.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use actix_web::web;
use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::cache::backends::{CacheBackend, Version};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};
use bytes::Bytes;
use futures_util::future::join_all;

use crate::harness::{
    Harness, Runs, backend, get, near_settings, no_content, numbered, post, settings,
};
use crate::server_access::put_proxy_before;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::{Kind, Server};
use crate::support::{eventually, unique};

const MINUTE: Duration = Duration::from_mins(1);
const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

/// Settings for each server through a proxy, with and without a near cache.
async fn through_proxies(deadline: u64) -> Vec<(CacheSettings, Proxy)> {
    let kinds = [
        settings(CacheBackendKind::Redis),
        settings(CacheBackendKind::Memcached),
        near_settings(),
    ];
    let mut all = Vec::new();
    for mut settings in kinds {
        settings.cache_operation_timeout_ms = deadline;
        let proxy = put_proxy_before(&mut settings).await;
        all.push((settings, proxy));
    }
    all
}

fn value(text: &str) -> Bytes {
    Bytes::from(format!("foreign {text}"))
}

/// Reads on several threads until several connections are open, and checks that every answer is right.
async fn open_several(backend: &Arc<dyn CacheBackend>, key: &str, proxy: &Proxy) {
    eventually("several connections are open", async || {
        let reads = (0..64).map(|_| {
            let (backend, key) = (Arc::clone(backend), key.to_owned());
            tokio::spawn(async move {
                assert_eq!(
                    backend.get(&key).await.unwrap().unwrap().value,
                    value("here")
                );
            })
        });
        for read in join_all(reads).await {
            read.unwrap();
        }
        proxy.open() >= 3
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c57_a_look_up_on_a_silent_connection_is_answered_on_a_new_one() {
    for (settings, proxy) in through_proxies(2000).await {
        let (backend, key) = (backend(&settings), unique("key"));
        backend.set(&key, value("here"), MINUTE).await.unwrap();
        open_several(&backend, &key, &proxy).await;
        // All except the one that was used last, as a firewall does; then all.
        for least in [1, 0] {
            assert!(proxy.set_for_some(Mode::Forget, |place| place >= least) > 1);
            open_several(&backend, &key, &proxy).await;
        }
        // A claim with its look-up.
        proxy.set_for_open(Mode::Forget);
        let key = unique("key");
        let created = backend.get_or_create(&key, value("new"), MINUTE);
        assert!(created.await.is_ok(), "{}", backend.name());
    }
}

#[actix_web::test]
async fn c57_a_claim_whose_answer_was_lost_is_found_to_be_ones_own() {
    for (settings, proxy) in through_proxies(2000).await {
        let backend = backend(&settings);
        backend.get("none").await.unwrap();
        proxy.set_for_open(Mode::HoldAnswers);
        let key = unique("key");
        let created = backend.get_or_create(&key, value("mine"), MINUTE).await;
        let created = format!("{:?}", created.unwrap());
        assert!(created.starts_with("Created"), "{created}");
    }
}

#[actix_web::test]
async fn c33_a_claim_is_sent_once_however_late_its_connection_delivers_it() {
    for (settings, proxy) in through_proxies(1000).await {
        let backend = backend(&settings);
        backend.get("none").await.unwrap();
        // The command is under way for as long as the test wants.
        proxy.set_for_open(Mode::Stall);
        let key = unique("key");
        let created = backend.get_or_create(&key, value("claim"), MINUTE).await;
        let created = format!("{:?}", created.unwrap());
        assert!(!created.starts_with("Created"), "{created}");
        assert_eq!(backend.get(&key).await.unwrap(), None);
        proxy.set(Mode::Pass);
        eventually("it arrives late", async || {
            backend.get(&key).await.unwrap().is_some()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c57_a_probe_closes_the_silent_connections_of_every_thread() {
    for (settings, proxy) in through_proxies(1000).await {
        let (backend, key) = (backend(&settings), unique("key"));
        backend.set(&key, value("here"), MINUTE).await.unwrap();
        open_several(&backend, &key, &proxy).await;
        proxy.set_for_open(Mode::Forget);
        let made = proxy.made();
        backend.server_identity().await.unwrap();
        eventually("only new connections are open", async || {
            let new = proxy.made() - made;
            u64::try_from(proxy.open()).unwrap() <= new
        })
        .await;
        // A conditional store is sent once only: on a silent connection it would fail.
        let stores = (0..64).map(|_| {
            let (backend, key) = (Arc::clone(&backend), unique("key"));
            tokio::spawn(async move {
                let stored = backend.compare_and_set(&key, &Version::Absent, value("x"), MINUTE);
                let stored = tokio::time::timeout(Duration::from_secs(1), stored).await;
                assert!(stored.expect("an answer").unwrap().is_some());
            })
        });
        for stored in join_all(stores).await {
            stored.unwrap();
        }
    }
}

#[actix_web::test]
async fn c57_deletions_on_silent_connections_succeed_and_nothing_is_distrusted() {
    for by_pattern in [false, true] {
        for (settings, proxy) in through_proxies(2000).await {
            let harness = Harness::with_settings(settings).await;
            if by_pattern && harness.kind == CacheBackendKind::Memcached {
                continue;
            }
            let cache = &harness.cache;
            cache.set("item:1", &1, None).await.unwrap();
            cache.set("other:1", &1, None).await.unwrap();
            proxy.set_for_open(Mode::Forget);
            if by_pattern {
                cache.delete_pattern("item:*").await.unwrap();
            } else {
                cache.delete("item:1").await.unwrap();
            }
            assert!(!cache.exists("item:1").await.unwrap());
            // Still trusted: no new generation was begun.
            assert!(cache.exists("other:1").await.unwrap());
        }
    }
}

#[actix_web::test]
async fn c57_after_a_pause_in_which_servers_close_idle_connections_reads_are_hits() {
    let servers = [
        Server::start_with(Kind::Redis, &["--timeout", "1"]),
        Server::start_with(Kind::Memcached, &["-o", "idle_timeout=1"]),
        Server::start_with(Kind::Redis, &["--timeout", "1"]),
    ];
    let mut all = through_proxies(5000).await;
    for ((settings, _), server) in all.iter_mut().zip(&servers) {
        settings.cache_redis_port = server.port;
        settings.cache_memcached_port = server.port;
        let harness = Harness::with_settings(settings.clone()).await;
        let app = harness.numbered_app(ITEM).await;
        eventually("it is cached", async || get(&app, "/1").await.is_hit()).await;
        // The pause is the case, not a guess at how long something takes.
        tokio::time::sleep(Duration::from_secs(4)).await;
        for _ in 0..3 {
            let reply = get(&app, "/1").await;
            assert!(reply.is_hit(), "{:?}: {}", server.kind, reply.outcome());
        }
    }
}

#[actix_web::test]
async fn c57_requests_on_silent_connections_are_hits_and_writes_are_seen() {
    for is_write in [false, true] {
        for (mut settings, proxy) in through_proxies(1000).await {
            settings.cache_redis_pool_size = 1;
            settings.cache_memcached_pool_size = 1;
            let harness = Harness::with_settings(settings).await;
            let app = harness
                .app(|config| {
                    let read = numbered(&Runs::default());
                    config.route("/{id}", web::get().to(read).wrap(ITEM));
                    config.route("/{id}", web::post().to(no_content).wrap(ITEM));
                })
                .await;
            eventually("it is cached", async || get(&app, "/1").await.is_hit()).await;
            proxy.set_for_open(Mode::Forget);
            if is_write {
                assert_eq!(post(&app, "/1").await.status, 204);
            }
            let reply = get(&app, "/1").await;
            let outcome = reply.outcome();
            assert_eq!(reply.is_hit(), !is_write, "{:?}: {outcome}", harness.kind);
            assert!(
                !outcome.contains("unavailable"),
                "{:?}: {outcome}",
                harness.kind
            );
            assert!(get(&app, "/1").await.is_hit(), "{:?}", harness.kind);
        }
    }
}

/// A thread that opens the only connection, and then is idle until it may end.
fn busy_thread(
    backend: Arc<dyn CacheBackend>,
    key: String,
) -> (mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let (release, may_end) = mpsc::channel();
    let (opened, is_open) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            backend.get(&key).await.unwrap();
            opened.send(()).unwrap();
            let _ = may_end.recv_timeout(Duration::from_secs(20));
        });
    });
    is_open.recv().unwrap();
    (release, thread)
}

#[tokio::test]
async fn c57_a_look_up_does_not_wait_for_the_busy_thread_of_another_one() {
    for kind in [CacheBackendKind::Redis, CacheBackendKind::Memcached] {
        let mut settings = settings(kind);
        settings.cache_operation_timeout_ms = 1000;
        settings.cache_redis_pool_size = 1;
        settings.cache_memcached_pool_size = 1;
        let (backend, key) = (backend(&settings), unique("key"));
        let (release, thread) = busy_thread(Arc::clone(&backend), key.clone());
        let found = tokio::time::timeout(Duration::from_secs(10), backend.get(&key)).await;
        assert_eq!(found.expect("an end").unwrap(), None, "{}", backend.name());
        assert!(!thread.is_finished(), "the thread was busy all the time");
        release.send(()).unwrap();
        thread.join().unwrap();
    }
}
