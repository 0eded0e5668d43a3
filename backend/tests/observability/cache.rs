//! The metrics of the cache (C62), of the pool and of the password queue.
//!
//! Come here after adding a metric.

use serde_json::json;

use crate::scrape::Scrape;
use crate::support::eventually;
use crate::support::server::{Kind, Server};
use crate::support::service::TestService;

const WIDGET: &str = "/api/v1/widgets/{widget_id}";

fn look_ups(scrape: &Scrape, route: &str, outcome: &str, detail: &str) -> f64 {
    let labels = [
        ("route", route),
        ("cache_outcome", outcome),
        ("cache_detail", detail),
    ];
    scrape.sum("cache_lookups_total", &labels).unwrap_or(0.0)
}

#[tokio::test]
async fn c62_look_ups_are_counted_by_outcome_and_template() {
    let service = TestService::start().await;
    let token = service.new_user("ada").await;
    let id = service.new_widget(&token, "Cog").await;
    let path = format!("/widgets/{id}");
    service.get(&path).await.expect(200);
    service.get_cached("", &path).await;
    service.get_cached("", &path).await;
    service.get(&format!("{path}?unknown=1")).await.expect(200);
    service.get("/widgets/999999999").await.expect(404);
    let scrape = Scrape::of(&service).await;
    assert!(look_ups(&scrape, WIDGET, "miss", "stored") >= 1.0);
    assert!(look_ups(&scrape, WIDGET, "hit", "fresh") >= 3.0);
    assert!(look_ups(&scrape, WIDGET, "bypass", "undeclared-query") >= 1.0);
    assert!(look_ups(&scrape, WIDGET, "miss", "not-stored") >= 1.0);
}

#[tokio::test]
async fn c62_each_operation_of_each_backend_has_its_time() {
    for backend in ["redis", "memcached", "memory"] {
        let service = TestService::start_with(&[("CACHE_BACKEND", backend)]).await;
        let token = service.new_user("ada").await;
        let id = service.new_widget(&token, "Cog").await;
        let path = format!("/widgets/{id}");
        service.get_cached("", &path).await;
        service
            .patch(&token, &path, json!({"name": "Gear"}))
            .await
            .expect(200);
        let scrape = Scrape::of(&service).await;
        for operation in ["get", "compare-and-set", "delete", "probe"] {
            let labels = [
                ("backend", backend),
                ("operation", operation),
                ("result", "ok"),
            ];
            let count = scrape.value("cache_operation_duration_seconds_count", &labels);
            assert!(count >= 1.0, "{backend} {operation}");
        }
        let state = [("backend", backend), ("state", "ready")];
        assert!(scrape.value("cache_backend_state", &state) > 0.5);
        let sum = scrape.value("cache_backend_state", &[("backend", backend)]);
        assert!((sum - 1.0).abs() < 1e-9, "{backend} is in one state");
        assert!(scrape.value("cache_backend_transitions_total", &state) >= 1.0);
    }
}

#[tokio::test]
async fn c62_the_memory_and_the_near_cache_tell_their_entries_and_bytes() {
    let memory = [("CACHE_BACKEND", "memory")];
    let near = [("CACHE_BACKEND", "redis"), ("CACHE_NEAR", "true")];
    for (environment, store) in [(&memory[..], "memory"), (&near[..], "near")] {
        let service = TestService::start_with(environment).await.without_proof();
        let token = service.new_user("ada").await;
        let id = service.new_widget(&token, "Cog").await;
        eventually("the value is kept in the process", async || {
            service.get(&format!("/widgets/{id}")).await.expect(200);
            let scrape = Scrape::of(&service).await;
            let labels = [("store", store)];
            scrape.value("cache_store_entries", &labels) >= 1.0
                && scrape.value("cache_store_bytes", &labels) >= 100.0
        })
        .await;
    }
}

#[tokio::test]
async fn c62_an_open_breaker_and_pending_deletions_show_and_go() {
    let mut redis = Server::start(Kind::Redis);
    let port = redis.port.to_string();
    let settings = [("CACHE_REDIS_PORT", port.as_str())];
    let service = TestService::start_with(&settings).await.without_proof();
    let admin = service.admin().await;
    let id = service.new_widget(&admin, "Cog").await;
    let path = format!("/widgets/{id}");
    service.get_cached("", &path).await;
    redis.kill();
    // No row of the feed stands for a purge, so it is pending in the process.
    let purge = json!({"keys": [format!("widget:{id}")]});
    service.post(&admin, "/cache/purge", purge).await;
    // An attempt to deliver takes the deletion for a moment.
    eventually("a deletion is pending", async || {
        let scrape = Scrape::of(&service).await;
        scrape.value("cache_pending_deletions", &[("backend", "redis")]) >= 1.0
    })
    .await;
    let scrape = Scrape::of(&service).await;
    let open = [("backend", "redis"), ("state", "unavailable")];
    assert!(scrape.value("cache_backend_state", &open) > 0.5);
    assert!(scrape.value("cache_backend_transitions_total", &open) >= 1.0);
    let failed = [("backend", "redis"), ("result", "error")];
    assert!(scrape.value("cache_operation_duration_seconds_count", &failed) >= 1.0);
    service.get(&path).await.expect(200);
    let scrape = Scrape::of(&service).await;
    assert!(look_ups(&scrape, WIDGET, "bypass", "unavailable") >= 1.0);
    redis.restart();
    eventually("the deletions are delivered", async || {
        let scrape = Scrape::of(&service).await;
        let ready = [("backend", "redis"), ("state", "ready")];
        scrape.value("cache_pending_deletions", &[]) < 0.5
            && scrape.value("cache_backend_state", &ready) > 0.5
    })
    .await;
}

#[tokio::test]
async fn c62_the_oldest_undelivered_change_has_an_age() {
    let redis = Server::start(Kind::Redis);
    let port = redis.port.to_string();
    let settings = [
        ("CACHE_REDIS_PORT", port.as_str()),
        ("CACHE_OPERATION_TIMEOUT_MS", "250"),
    ];
    let service = TestService::start_with(&settings).await.without_proof();
    let age = async || {
        let scrape = Scrape::of(&service).await;
        scrape.value("cache_feed_oldest_change_age_seconds", &[])
    };
    let token = service.new_user("ada").await;
    eventually("nothing is left", async || age().await < 1e-9).await;
    redis.signal("STOP");
    service.new_widget(&token, "Cog").await;
    eventually("the change grows old", async || age().await > 1.0).await;
    redis.signal("CONT");
    eventually("the change is delivered", async || age().await < 1e-9).await;
}

#[tokio::test]
async fn the_pool_and_the_password_queue_show_their_use() {
    let service = TestService::start_with(&[("DATABASE_POOL_SIZE", "3")]).await;
    service.new_user("ada").await;
    let scrape = Scrape::of(&service).await;
    let pool = [("pool", "requests")];
    let most = scrape.value("db_client_connection_max", &pool);
    let open = scrape.value("db_client_connection_count", &pool);
    assert!(
        (most - 3.0).abs() < 1e-9 && (1.0..=3.0).contains(&open),
        "{open} of {most}"
    );
    assert!(scrape.value("db_client_connection_wait_time_seconds_count", &pool) >= 1.0);
    assert!(scrape.value("db_client_connection_pending_requests", &pool) < 0.5);
    assert!(scrape.value("db_client_connection_timeouts_total", &pool) < 0.5);
    assert!(
        scrape.value(
            "db_client_connection_wait_time_seconds_count",
            &[("pool", "feed")]
        ) >= 1.0
    );
    assert!(scrape.value("password_queue_wait_time_seconds_count", &[]) >= 2.0);
    for name in [
        "password_queue_waiting",
        "password_queue_hashing",
        "password_queue_refused_total",
    ] {
        assert!(scrape.value(name, &[]) < 0.5, "{name}");
    }
}
