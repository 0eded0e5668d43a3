//! Drills: a real fault for each alert, seen by a real Prometheus.
//!
//! Come here with every new rule.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::prometheus::Prometheus;
use crate::support::database::TestDatabase;
use crate::support::eventually;
use crate::support::server::{Kind, Server};
use crate::support::service::{TestService, command};

/// A service on a Redis of its own, with short deadlines.
async fn on_redis(redis: &Server, settings: &[(&str, &str)]) -> TestService {
    let port = redis.port.to_string();
    let own = [
        ("CACHE_REDIS_PORT", port.as_str()),
        ("CACHE_OPERATION_TIMEOUT_MS", "250"),
    ];
    TestService::start_with(&[&own, settings].concat())
        .await
        .without_proof()
}

#[tokio::test]
async fn a_killed_service_is_down() {
    let service = TestService::start().await;
    let prometheus = Prometheus::watching(service.address()).await;
    drop(service);
    prometheus.expect("BackendDown").await;
}

#[tokio::test]
async fn a_lost_table_gives_errors() {
    let service = TestService::start().await.without_proof();
    let prometheus = Prometheus::watching(service.address()).await;
    let pool = service.database.pool().await;
    sqlx::query("DROP TABLE widgets CASCADE")
        .execute(&pool)
        .await
        .unwrap();
    let requests = async {
        loop {
            service.get("/widgets/1").await.expect(500);
            // The pace of the load.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = requests => {}
        () = prometheus.expect("BackendErrors") => {}
    }
}

#[tokio::test]
async fn a_locked_table_makes_requests_slow_and_exhausts_the_pool() {
    let settings = [
        ("DATABASE_POOL_SIZE", "1"),
        ("DATABASE_CONNECT_TIMEOUT", "1"),
    ];
    let service = TestService::start_with(&settings).await.without_proof();
    let prometheus = Prometheus::watching(service.address()).await;
    let lock = service.database.lock("widgets").await;
    let requests = async {
        loop {
            // Each has an own key, so that none waits for another's run.
            let each = (1..=4).map(|id| {
                let request = service.api(Method::GET, &format!("/widgets/{id}"), "");
                service.send(request)
            });
            join_all(each).await;
        }
    };
    let alerts = async {
        prometheus.expect("DatabasePoolExhausted").await;
        prometheus.expect("DatabaseConnectionTimeouts").await;
        prometheus.expect("BackendSlow").await;
    };
    tokio::select! {
        () = requests => {}
        () = alerts => {}
    }
    drop(lock);
}

#[tokio::test]
async fn a_stopped_cache_is_unavailable_and_keeps_deletions_and_changes_waiting() {
    let redis = Server::start(Kind::Redis);
    let service = on_redis(&redis, &[]).await;
    let token = service.new_user("ada").await;
    let prometheus = Prometheus::watching(service.address()).await;
    redis.signal("STOP");
    service.new_widget(&token, "Cog").await;
    prometheus.expect("CacheUnavailable").await;
    prometheus.expect("CacheDeletionsPending").await;
    prometheus.expect("CacheFeedBehind").await;
    redis.signal("CONT");
}

#[tokio::test]
async fn a_cache_that_comes_and_goes_is_unstable() {
    let mut redis = Server::start(Kind::Redis);
    let service = on_redis(&redis, &[]).await;
    let prometheus = Prometheus::watching(service.address()).await;
    let state = async |wanted: &str| {
        eventually("the backend is in the state", async || {
            service.get("/widgets/count").await.expect(200);
            let scrape = crate::scrape::Scrape::of(&service).await;
            scrape.value("cache_backend_state", &[("state", wanted)]) > 0.5
        })
        .await;
    };
    for _ in 0..4 {
        redis.kill();
        state("unavailable").await;
        redis.restart();
        state("ready").await;
        // Each change is seen by a scrape of its own, since `increase` begins at the first one that is seen.
        prometheus.until_scraped_again().await;
    }
    prometheus.expect("CacheUnstable").await;
}

#[tokio::test]
async fn a_change_that_nothing_invalidates_is_found_stale() {
    let redis = Server::start(Kind::Redis);
    let settings = [("CACHE_VERIFY_PERCENT", "100")];
    let service = on_redis(&redis, &settings).await;
    let token = service.new_user("ada").await;
    let id = service.new_widget(&token, "Cog").await;
    let prometheus = Prometheus::watching(service.address()).await;
    service.get_cached("", &format!("/widgets/{id}")).await;
    let change = "UPDATE widgets SET name = 'Gear'";
    service.database.change_unrecorded(change).await;
    service.get(&format!("/widgets/{id}")).await.expect(200);
    prometheus.expect("CacheEntryStale").await;
}

#[tokio::test]
async fn a_copied_value_is_one_of_another_key() {
    let redis = Server::start(Kind::Redis);
    let service = on_redis(&redis, &[]).await;
    let token = service.new_user("ada").await;
    let id = service.new_widget(&token, "Cog").await;
    let other = service.new_widget(&token, "Gear").await;
    let prometheus = Prometheus::watching(service.address()).await;
    service.get_cached("", &format!("/widgets/{id}")).await;
    let namespace = &service.namespace;
    let copy = format!("COPY {namespace}:widget:{id} {namespace}:widget:{other} REPLACE");
    assert_eq!(redis.say(&copy), ":1");
    let answer = service.get(&format!("/widgets/{other}")).await.expect(200);
    assert_eq!(answer.json()["name"], "Gear");
    prometheus.expect("CacheValuesOfOtherKeys").await;
}

#[tokio::test]
async fn a_burst_of_sign_ins_is_refused() {
    let settings = [("LOGIN_ATTEMPTS", "100000")];
    let service = TestService::start_with(&settings).await.without_proof();
    let prometheus = Prometheus::watching(service.address()).await;
    let body = json!({"username": "nobody", "password": "wrong password"});
    let burst = (0..400).map(|_| service.post("", "/auth/login", body.clone()));
    // Those that wait need not be waited for.
    tokio::select! {
        _ = join_all(burst) => prometheus.expect("PasswordQueueRefuses").await,
        () = prometheus.expect("PasswordQueueRefuses") => {}
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_loses_lines() {
    let database = TestDatabase::create().await;
    let url = database.url();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("SERVER_PORT", "0"),
        ("LOG_FORMAT", "json"),
        ("CACHE_BACKEND", "memory"),
    ];
    let mut process = command(&settings).spawn().unwrap();
    // Read as far as the address, and no further. The pipe stays open.
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert!(
            output.read_line(&mut line).unwrap() > 0,
            "the service ended"
        );
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["message"] == "listening" {
            break line["address"].as_str().unwrap().to_owned();
        }
    };
    let prometheus = Prometheus::watching(&address).await;
    let request = format!(
        "{} /health HTTP/1.1\r\nhost: {address}\r\n\r\n",
        Method::GET
    );
    let mut connection = TcpStream::connect(&address).await.unwrap();
    let (mut answers, mut requests) = connection.split();
    let many = request.repeat(100);
    let write = async {
        loop {
            requests.write_all(many.as_bytes()).await.unwrap();
        }
    };
    let mut nowhere = tokio::io::sink();
    let read = tokio::io::copy(&mut answers, &mut nowhere);
    tokio::select! {
        () = write => {}
        _ = read => panic!("the connection ended"),
        () = prometheus.expect("LogLinesDropped") => {}
    }
    process.kill().unwrap();
    process.wait().unwrap();
}
