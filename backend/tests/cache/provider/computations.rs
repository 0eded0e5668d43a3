//! Computations: `get_or_compute` has the guarantees of routes (C33, C34, C36, C51).
//!
//! Come here after changing `get_or_compute`. Other operations of the provider are in `provider`.

use backend::infrastructure::cache::{Cache, CacheError};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};
use futures_util::future::join_all;
use tokio::sync::oneshot;

use crate::harness::{Harness, Log, Runs, settings};
use crate::support::eventually;

/// A computation that numbers its runs and never fails.
async fn numbered(cache: &Cache, key: &str, runs: &Runs) -> usize {
    let runs = runs.clone();
    let run = async move { Ok::<_, String>(runs.count()) };
    cache.get_or_compute(key, None, run).await.unwrap()
}

/// A computation that reports its beginning and waits until it is released.
struct Held {
    begun: oneshot::Receiver<()>,
    go: oneshot::Sender<()>,
}

impl Held {
    /// The computation of `value`, and the handle that holds it.
    fn new(
        value: &'static str,
    ) -> (
        impl Future<Output = Result<String, String>> + Send + 'static,
        Self,
    ) {
        let (report, begun) = oneshot::channel();
        let (go, wait) = oneshot::channel();
        let computation = async move {
            let _ = report.send(());
            let _ = wait.await;
            Ok(value.to_owned())
        };
        (computation, Self { begun, go })
    }
}

#[actix_web::test]
async fn c51_a_computation_runs_once_and_then_its_value_is_read() {
    for harness in Harness::on_every_backend().await {
        let runs = Runs::default();
        assert_eq!(numbered(&harness.cache, "report:7", &runs).await, 1);
        assert_eq!(numbered(&harness.cache, "report:7", &runs).await, 1);
        assert_eq!(numbered(&harness.cache, "report:8", &runs).await, 2);
        assert_eq!(
            harness.cache.get::<usize>("report:7").await.unwrap(),
            Some(1),
            "get sees what a computation stored"
        );
        harness.cache.delete("report:7").await.unwrap();
        assert_eq!(numbered(&harness.cache, "report:7", &runs).await, 3);
    }
}

#[actix_web::test]
async fn c51_concurrent_computations_of_one_key_run_once_in_a_process() {
    for harness in Harness::on_every_backend().await {
        let log = Log::with_waits();
        let (computation, held) = Held::new("of the first");
        let cache = harness.cache.clone();
        let running = actix_web::rt::spawn(async move {
            cache.get_or_compute("report:7", None, computation).await
        });
        held.begun.await.unwrap();
        let others = (0..49).map(|_| {
            let cache = harness.cache.clone();
            actix_web::rt::spawn(async move {
                let own = async { Ok::<_, String>("of another".to_owned()) };
                cache.get_or_compute("report:7", None, own).await
            })
        });
        let others: Vec<_> = others.collect();
        log.until_reads_wait(49, "request").await;
        held.go.send(()).unwrap();
        assert_eq!(running.await.unwrap().unwrap(), "of the first");
        for value in join_all(others).await {
            let value = value.unwrap().unwrap();
            assert_eq!(value, "of the first", "{:?}", harness.kind);
        }
    }
}

#[actix_web::test]
async fn c51_another_instance_waits_for_the_value_instead_of_computing_it() {
    for first in Harness::on_shared_backends().await {
        let log = Log::with_waits();
        let second = first.another().await;
        let (computation, held) = Held::new("of the first");
        let cache = first.cache.clone();
        let running = actix_web::rt::spawn(async move {
            cache.get_or_compute("report:7", None, computation).await
        });
        held.begun.await.unwrap();
        let cache = second.cache.clone();
        let waiting = actix_web::rt::spawn(async move {
            let own = async { Ok::<_, String>("of the second".to_owned()) };
            cache.get_or_compute("report:7", None, own).await
        });
        log.until_reads_wait(1, "instance").await;
        held.go.send(()).unwrap();
        assert_eq!(running.await.unwrap().unwrap(), "of the first");
        assert_eq!(waiting.await.unwrap().unwrap(), "of the first");
    }
}

#[actix_web::test]
async fn c51_a_value_from_before_a_deletion_is_never_stored_after_it() {
    for harness in Harness::on_every_backend().await {
        let (computation, held) = Held::new("old");
        let cache = harness.cache.clone();
        let running = actix_web::rt::spawn(async move {
            cache.get_or_compute("report:7", None, computation).await
        });
        held.begun.await.unwrap();
        harness.cache.delete("report:7").await.unwrap();
        // A reader from after the deletion does not join the computation from before it.
        let own = async { Ok::<_, String>("new".to_owned()) };
        let read = harness.cache.get_or_compute("report:7", None, own).await;
        assert_eq!(read.unwrap(), "new", "{:?}", harness.kind);
        held.go.send(()).unwrap();
        assert_eq!(running.await.unwrap().unwrap(), "old");
        let stored: Option<String> = harness.cache.get("report:7").await.unwrap();
        assert_eq!(stored.as_deref(), Some("new"), "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c51_a_value_from_before_its_group_ended_is_no_value() {
    for harness in Harness::on_every_backend().await {
        let (computation, held) = Held::new("old");
        let cache = harness.cache.clone();
        let running = actix_web::rt::spawn(async move {
            cache
                .computation("report:7")
                .group("reports")
                .get_or_compute(computation)
                .await
        });
        held.begun.await.unwrap();
        harness.cache.invalidate_group("reports").await.unwrap();
        held.go.send(()).unwrap();
        assert_eq!(running.await.unwrap().unwrap(), "old");
        let runs = Runs::default();
        for expected in [1, 1] {
            let runs = runs.clone();
            let value = harness
                .cache
                .computation("report:7")
                .group("reports")
                .get_or_compute(async move { Ok::<_, String>(runs.count().to_string()) })
                .await;
            assert_eq!(value.unwrap(), expected.to_string(), "{:?}", harness.kind);
        }
        harness.cache.invalidate_group("reports").await.unwrap();
        assert_eq!(harness.cache.get::<String>("report:7").await.unwrap(), None);
    }
}

#[actix_web::test]
async fn c51_a_failure_is_given_to_its_caller_and_not_stored() {
    for harness in Harness::on_every_backend().await {
        let failing = async { Err::<usize, _>("no report today".to_owned()) };
        let failed = harness.cache.get_or_compute("report:7", None, failing);
        assert_eq!(failed.await.unwrap_err(), "no report today");
        // No reader waits for the claim of the failed computation.
        assert_eq!(
            numbered(&harness.cache, "report:7", &Runs::default()).await,
            1
        );
    }
}

#[actix_web::test]
async fn c51_a_computation_whose_caller_leaves_runs_to_its_end_and_is_stored() {
    for harness in Harness::on_every_backend().await {
        let (computation, held) = Held::new("complete");
        {
            let waiting = harness.cache.get_or_compute("report:7", None, computation);
            tokio::pin!(waiting);
            tokio::select! {
                _ = &mut waiting => panic!("the computation is held"),
                begun = held.begun => begun.unwrap(),
            }
        }
        held.go.send(()).unwrap();
        eventually("the value is stored", || async {
            let stored = harness.cache.get::<String>("report:7").await.unwrap();
            stored.as_deref() == Some("complete")
        })
        .await;
    }
}

#[actix_web::test]
async fn c51_without_a_cache_the_computation_runs_each_time() {
    let unavailable = CacheSettings {
        cache_redis_port: 1,
        ..settings(CacheBackendKind::Redis)
    };
    let disabled = CacheSettings {
        cache_enabled: false,
        ..settings(CacheBackendKind::Memory)
    };
    for settings in [unavailable, disabled] {
        let harness = Harness::with_settings(settings).await;
        let runs = Runs::default();
        for run in 1..=3 {
            assert_eq!(numbered(&harness.cache, "report:7", &runs).await, run);
        }
    }
}

#[actix_web::test]
async fn c51_a_stored_value_of_another_type_is_computed_anew_with_a_warning() {
    for harness in Harness::on_every_backend().await {
        let log = Log::collect();
        harness.cache.set("report:7", "a text", None).await.unwrap();
        assert_eq!(
            numbered(&harness.cache, "report:7", &Runs::default()).await,
            1
        );
        assert_eq!(
            log.lines_with(&["WARN", "report:7", "another type"]).len(),
            1
        );
    }
}

#[actix_web::test]
async fn c51_an_invalid_key_is_refused_with_a_sentence() {
    let harness = Harness::new(CacheBackendKind::Memory).await;
    for key in ["", "two words", "line\nbreak", "~group:lists", "ünïcode"] {
        let refused = harness.cache.set(key, "x", None).await.unwrap_err();
        assert!(matches!(refused, CacheError::Key(_)), "{key}: {refused}");
        assert!(harness.cache.get::<String>(key).await.is_err(), "{key}");
        assert!(harness.cache.delete(key).await.is_err(), "{key}");
        // A computation returns no error of the cache: it runs, and nothing is stored.
        assert_eq!(numbered(&harness.cache, key, &Runs::default()).await, 1);
    }
    let escaped = backend::infrastructure::cache::escape("two words/ünïcode");
    let key = format!("report:{escaped}");
    harness.cache.set(&key, "x", None).await.unwrap();
    assert!(harness.cache.exists(&key).await.unwrap());
}
