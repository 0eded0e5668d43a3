//! The effects of an unavailable or disabled cache (C26–C28, C35) on one process. Whole outages are in
//! `resilience`.
//!
//! Come here after changing the breaker.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::web;
use backend::infrastructure::cache::backends::{BackendError, CacheBackend, Count, Found, Version};
use backend::infrastructure::cache::{CacheHealth, CacheOptions, CachePolicy};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};
use futures_util::future::join_all;

use crate::harness::{Harness, Log, Runs, get, no_content, numbered, post, settings};
use crate::server_access::put_proxy_before;
use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

/// A cache on a server behind a proxy, for each kind of server.
async fn behind_proxies() -> Vec<(Harness, Proxy)> {
    let mut harnesses = Vec::new();
    for kind in [CacheBackendKind::Redis, CacheBackendKind::Memcached] {
        let mut settings: CacheSettings = settings(kind);
        settings.cache_operation_timeout_ms = 250;
        let proxy = put_proxy_before(&mut settings).await;
        harnesses.push((Harness::with_settings(settings).await, proxy));
    }
    harnesses
}

#[actix_web::test]
async fn c26_no_fault_of_the_cache_fails_or_hangs_a_request() {
    let modes = [
        Mode::Refuse,
        Mode::Stall,
        Mode::Garbage,
        Mode::CutAnswers,
        Mode::Delay(Duration::from_millis(400)),
    ];
    for mode in modes {
        for (harness, proxy) in behind_proxies().await {
            let app = harness
                .app(|config| {
                    config.route(
                        "/{id}",
                        web::get().to(numbered(&Runs::default())).wrap(ITEM),
                    );
                    config.route("/{id}", web::post().to(no_content).wrap(ITEM));
                })
                .await;
            let name = if harness.kind == CacheBackendKind::Redis {
                "redis"
            } else {
                "memcached"
            };
            get(&app, "/1").await;
            assert!(get(&app, "/1").await.is_hit());
            proxy.set(mode);
            let log = Log::collect();
            let began = Instant::now();
            for number in 2..12 {
                assert_eq!(
                    get(&app, &format!("/{number}")).await.status,
                    200,
                    "{mode:?} on {name}"
                );
                assert_eq!(
                    post(&app, &format!("/{number}")).await.status,
                    204,
                    "{mode:?} on {name}"
                );
            }
            let took = began.elapsed();
            let warnings = log
                .lines_with(&["WARN", "Cache backend not available: ", name])
                .len();
            assert!(
                warnings >= 1,
                "{mode:?} on {name}: {:#?}",
                log.lines_with(&[])
            );
            assert!(
                u64::try_from(warnings).unwrap() <= took.as_secs() + 1,
                "at most one a second: {warnings} in {took:?}"
            );
            proxy.set(Mode::Pass);
            eventually("the cache is used again", async || {
                get(&app, "/1").await.is_hit()
            })
            .await;
        }
    }
}

#[actix_web::test]
async fn c27_after_three_failures_requests_go_straight_to_the_handler_until_a_probe_answers() {
    for (harness, proxy) in behind_proxies().await {
        let app = harness.numbered_app(ITEM).await;
        get(&app, "/1").await;
        proxy.set(Mode::Stall);
        eventually("the breaker opens", async || {
            get(&app, "/1").await;
            harness.cache.health() == CacheHealth::Down
        })
        .await;
        let reply = get(&app, "/1").await;
        assert_eq!(reply.outcome(), "backend; fwd=bypass; detail=unavailable");
        proxy.set(Mode::Pass);
        eventually("a probe closes it", async || {
            harness.cache.health() == CacheHealth::Up
        })
        .await;
        eventually("hits are back", async || get(&app, "/1").await.is_hit()).await;
    }
}

/// A backend that counts its calls, and fails on demand.
struct Failing {
    inner: Arc<dyn CacheBackend>,
    limits_look_ups: bool,
    fails: AtomicBool,
    /// The number of look-ups of items, without those of the namespace's record.
    look_ups: AtomicUsize,
    stores: AtomicUsize,
    /// The times of the requests for its identity.
    probes: Mutex<Vec<Instant>>,
}

impl Failing {
    fn fail_on_demand(&self) -> Result<(), BackendError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(BackendError::Unavailable("failed on demand".to_owned()));
        }
        Ok(())
    }
}

/// A cache on a backend that the test steers, and the backend.
async fn on_failing(limits_look_ups: bool) -> (Harness, Arc<Failing>) {
    let settings = settings(CacheBackendKind::Memory);
    let failing = Arc::new(Failing {
        inner: crate::harness::backend(&settings),
        limits_look_ups,
        fails: false.into(),
        look_ups: 0.into(),
        stores: 0.into(),
        probes: Mutex::default(),
    });
    let registered: Arc<dyn CacheBackend> = Arc::<Failing>::clone(&failing);
    let harness = Harness::with_backends(settings, vec![("default".to_owned(), registered)]).await;
    (harness, failing)
}

#[async_trait::async_trait]
impl CacheBackend for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn max_key_bytes(&self) -> usize {
        self.inner.max_key_bytes()
    }

    fn limits_look_ups(&self) -> bool {
        self.limits_look_ups
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        if key.contains("item:") {
            self.look_ups.fetch_add(1, Ordering::SeqCst);
        }
        self.fail_on_demand()?;
        self.inner.get(key).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: bytes::Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        self.stores.fetch_add(1, Ordering::SeqCst);
        self.inner
            .compare_and_set(key, expected, value, expiration)
            .await
    }

    async fn set(
        &self,
        key: &str,
        value: bytes::Bytes,
        expiration: Duration,
    ) -> Result<(), BackendError> {
        self.inner.set(key, value, expiration).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        self.inner.delete(keys).await
    }

    async fn increment(&self, key: &str, expiration: Duration) -> Result<Count, BackendError> {
        self.inner.increment(key, expiration).await
    }

    async fn decrement(&self, key: &str) -> Result<(), BackendError> {
        self.inner.decrement(key).await
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        self.inner.delete_pattern(pattern).await
    }

    async fn clear(&self, prefix: &str, kept: &str) -> Result<(), BackendError> {
        self.inner.clear(prefix, kept).await
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        self.probes.lock().unwrap().push(Instant::now());
        self.fail_on_demand()?;
        self.inner.server_identity().await
    }
}

#[actix_web::test]
async fn c27_after_a_failed_look_up_that_request_stores_nothing_and_the_next_one_sends_none() {
    for limits_look_ups in [false, true] {
        let (harness, failing) = on_failing(limits_look_ups).await;
        let app = harness.numbered_app(ITEM).await;
        // After a hit the next request looks first; after a miss it would claim with its look-up.
        for _ in 0..2 {
            get(&app, "/1").await;
        }
        let asked = || {
            let look_ups = failing.look_ups.load(Ordering::SeqCst);
            (look_ups, failing.stores.load(Ordering::SeqCst))
        };
        let (look_ups, stores) = asked();
        failing.fails.store(true, Ordering::SeqCst);
        for path in ["/2", "/3"] {
            let reply = get(&app, path).await;
            assert_eq!(
                (reply.status, reply.outcome()),
                (200, "backend; fwd=bypass; detail=unavailable")
            );
        }
        assert_eq!(
            asked(),
            (look_ups + 1, stores),
            "limits_look_ups: {limits_look_ups}"
        );
    }
}

#[actix_web::test]
async fn c35_a_failed_probe_is_repeated_at_once_because_other_instances_wait_only_for_the_grace() {
    let (harness, failing) = on_failing(false).await;
    let app = harness.numbered_app(ITEM).await;
    failing.fails.store(true, Ordering::SeqCst);
    eventually("the breaker opens", async || {
        get(&app, "/1").await;
        harness.cache.health() == CacheHealth::Down
    })
    .await;
    failing.probes.lock().unwrap().clear();
    eventually("two attempts come together", async || {
        // The first ones may have opened the breaker; a probe comes every 500 ms.
        let probes = failing.probes.lock().unwrap();
        let pairs = probes.windows(2).skip(2);
        pairs
            .into_iter()
            .any(|pair| pair[1] - pair[0] < Duration::from_millis(250))
    })
    .await;
}

#[actix_web::test]
async fn c27_operations_that_fail_at_once_count_as_one_failure() {
    let (harness, failing) = on_failing(true).await;
    let app = harness.numbered_app(ITEM).await;
    for _ in 0..2 {
        get(&app, "/1").await;
    }
    let paths: Vec<_> = (0..10).map(|number| format!("/{number}")).collect();
    failing.fails.store(true, Ordering::SeqCst);
    let replies = join_all(paths.iter().map(|path| get(&app, path))).await;
    failing.fails.store(false, Ordering::SeqCst);
    // As after a lost connection: the backend is doubtful, and the breaker stays closed.
    assert_eq!(harness.cache.health(), CacheHealth::Up);
    assert!(replies.iter().all(|reply| reply.status == 200));
    eventually("hits are back", async || get(&app, "/1").await.is_hit()).await;
}

#[actix_web::test]
async fn c28_without_the_cache_nothing_connects() {
    let mut settings = settings(CacheBackendKind::Redis);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    settings.cache_redis_port = listener.local_addr().unwrap().port();
    settings.cache_enabled = false;
    let cache =
        backend::infrastructure::cache::Cache::connect(&CacheOptions::from(&settings), true)
            .await
            .unwrap();
    let runs = Runs::default();
    let app = crate::harness::app(cache.clone(), |config| {
        config.route("/{id}", web::get().to(numbered(&runs)).wrap(ITEM));
        config.route("/{id}", web::post().to(no_content).wrap(ITEM));
    })
    .await;
    for _ in 0..3 {
        assert_eq!(
            get(&app, "/1").await.outcome(),
            "backend; fwd=bypass; detail=disabled"
        );
        assert_eq!(
            post(&app, "/1").await.outcome(),
            "backend; fwd=bypass; detail=disabled"
        );
    }
    assert_eq!(runs.total(), 3);
    assert_eq!(cache.health(), CacheHealth::Disabled);
    let connected = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(connected.is_err(), "something connected");
}
