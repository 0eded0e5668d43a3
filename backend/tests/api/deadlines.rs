//! Deadlines of requests, statements, connections and of the end of the program (docs/production.md,
//! "Deadlines").
//!
//! Come here for a wait that might never end. Faults of the way to the database are in
//! `tests/resilience`.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::answer::Answer;
use crate::support::eventually;
use crate::support::service::{Service, TestService};

const UNCACHED: (&str, &str) = ("CACHE_ENABLED", "false");
/// Statements may wait so long that only the deadline of the request ends the wait.
const PATIENT: [(&str, &str); 2] = [
    ("DATABASE_LOCK_TIMEOUT", "60"),
    ("DATABASE_STATEMENT_TIMEOUT", "60"),
];

fn is_unavailable(answer: &Answer) -> bool {
    answer.status == 503
        && answer.header("retry-after") == "1"
        && answer.header("content-type") == "application/problem+json"
        && answer.json()["request_id"] == answer.header("x-request-id")
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_answered_with_503() {
    let lock_timeout = [UNCACHED, ("DATABASE_LOCK_TIMEOUT", "1")];
    let statement_timeout = [
        UNCACHED,
        ("DATABASE_LOCK_TIMEOUT", "60"),
        ("DATABASE_STATEMENT_TIMEOUT", "1"),
    ];
    for (environment, said) in [
        (&lock_timeout[..], "lock timeout"),
        (&statement_timeout, "statement timeout"),
    ] {
        let service = TestService::start_with(environment).await;
        let lock = service.database.lock("widgets").await;
        let answer = service.get("/widgets/1").await;
        assert!(is_unavailable(&answer), "{answer:#?}");
        eventually("the log names the timeout", async || {
            serde_json::to_string(&service.log())
                .unwrap()
                .contains(said)
        })
        .await;
        lock.rollback().await.unwrap();
        service.get("/widgets/1").await.expect(404);
    }
}

#[tokio::test]
async fn a_request_without_an_answer_is_answered_with_503_and_its_write_still_finishes() {
    let limits = [PATIENT[0], PATIENT[1], ("SERVER_REQUEST_TIMEOUT", "1")];
    for further in [&[][..], &[UNCACHED]] {
        let service = TestService::start_with(&[&limits, further].concat()).await;
        let ada = service.new_user("ada").await;
        let lock = service.database.lock("widgets").await;
        for answer in [
            service.get("/widgets/1").await,
            service
                .post(&ada, "/widgets", json!({"name": "late"}))
                .await,
        ] {
            assert!(is_unavailable(&answer), "{answer:#?}");
        }
        lock.rollback().await.unwrap();
        eventually("the write has finished", async || {
            service.get("/widgets/1").await.status == 200
        })
        .await;
    }
}

#[tokio::test]
async fn a_write_outside_a_policy_finishes_after_its_deadline_too() {
    let limits = [PATIENT[0], PATIENT[1], ("SERVER_REQUEST_TIMEOUT", "1")];
    let service = TestService::start_with(&limits).await;
    let ada = service.new_user("ada").await;
    // Reads continue, so the caller is known; the deletion waits.
    let mut lock = service.database.pool().await.begin().await.unwrap();
    sqlx::query("LOCK TABLE access_tokens IN SHARE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let answer = service.post(&ada, "/auth/logout-all", json!({})).await;
    assert!(is_unavailable(&answer), "{answer:#?}");
    lock.rollback().await.unwrap();
    eventually("the token is revoked", async || {
        service.get_as(&ada, "/users/me").await.status == 401
    })
    .await;
}

#[tokio::test]
async fn lists_and_searches_never_delay_a_request_that_reads_one_row() {
    let limits = [
        PATIENT[0],
        ("DATABASE_STATEMENT_TIMEOUT", "20"),
        ("DATABASE_POOL_SIZE", "4"),
        UNCACHED,
    ];
    let service = TestService::start_with(&limits).await;
    let ada = service.new_user("ada").await;
    // The slowest possible search.
    let lock = service.database.lock("widgets").await;
    let mut searches = JoinSet::new();
    for number in 0..20 {
        let path = format!("/widgets?q={number}");
        searches.spawn(service.api(Method::GET, &path, "").send());
    }
    // Requests that wait for a turn fail first: then all turns are taken.
    let refused = searches.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(refused.status(), 503);
    for _ in 0..8 {
        service.get_as(&ada, "/users/me").await.expect(200);
    }
    let ready = service.request(Method::GET, "/health/ready");
    service.send(ready).await.expect(200);
    lock.rollback().await.unwrap();
    service.get("/widgets?q=1").await.expect(200);
}

#[tokio::test]
async fn readiness_does_not_wait_for_the_pool() {
    let limits = [
        PATIENT[0],
        PATIENT[1],
        ("DATABASE_POOL_SIZE", "1"),
        UNCACHED,
    ];
    let service = TestService::start_with(&limits).await;
    let lock = service.database.lock("widgets").await;
    let waits = tokio::spawn(service.api(Method::GET, "/widgets/1", "").send());
    // The only connection of the pool.
    service.database.until_a_statement_waits().await;
    let ready = service.request(Method::GET, "/health/ready");
    service.send(ready).await.expect(200);
    lock.rollback().await.unwrap();
    assert_eq!(waits.await.unwrap().unwrap().status(), 404);
}

#[tokio::test]
async fn a_user_is_deleted_while_a_superuser_is_locked() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let mut lock = service.database.pool().await.begin().await.unwrap();
    sqlx::query("SELECT FROM users WHERE is_superuser FOR UPDATE")
        .execute(&mut *lock)
        .await
        .unwrap();
    service.delete(&ada, "/users/ada").await.expect(204);
}

/// A connection that has had an answer.
async fn connection_after_an_answer(service: &Service) -> TcpStream {
    let mut connection = TcpStream::connect(service.address()).await.unwrap();
    ask(&mut connection).await;
    connection
}

async fn ask(connection: &mut TcpStream) {
    let request = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    connection.write_all(request).await.unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// Waits until the other side closes the connection.
async fn closed(connection: &mut TcpStream) {
    let mut rest = Vec::new();
    let reading = connection.read_to_end(&mut rest);
    let ended = tokio::time::timeout(Duration::from_secs(20), reading).await;
    assert!(ended.is_ok(), "the connection stays open");
}

#[tokio::test]
async fn an_idle_connection_stays_open_for_the_keep_alive_time() {
    let service = TestService::start_with(&[("SERVER_KEEP_ALIVE", "1")]).await;
    closed(&mut connection_after_an_answer(&service).await).await;
    // The HTTP library closes an idle connection after five seconds unless the program chooses another time.
    let service = TestService::start().await;
    let mut connection = connection_after_an_answer(&service).await;
    let mut rest = vec![0; 4096];
    let _ = connection.read(&mut rest).await.unwrap();
    let silence = tokio::time::timeout(Duration::from_secs(7), connection.read(&mut rest)).await;
    assert!(silence.is_err(), "closed after {silence:?}");
}

/// Sends a request over another connection, which is answered once the only allowed one is closed.
async fn the_connection_is_closed(service: &Service) {
    let mut other = TcpStream::connect(service.address()).await.unwrap();
    let answered = tokio::time::timeout(Duration::from_secs(20), ask(&mut other)).await;
    assert!(answered.is_ok(), "the connection stays open");
}

/// One connection at a time, whose client has a second for each of its steps.
const ONE_CONNECTION: [(&str, &str); 3] = [
    ("SERVER_KEEP_ALIVE", "1"),
    ("SERVER_MAX_CONNECTIONS", "1"),
    ("SERVER_WORKERS", "1"),
];

#[tokio::test]
async fn a_later_head_that_never_ends_does_not_keep_its_connection() {
    let service = TestService::start_with(&ONE_CONNECTION).await;
    let (_answers, mut requests) = connection_after_an_answer(&service).await.into_split();
    let sending = tokio::spawn(async move {
        requests.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
        while requests.write_all(b"x").await.is_ok() {
            // The pace of a slow client.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    the_connection_is_closed(&service).await;
    sending.await.unwrap();
}

/// Sends requests until the connection is closed, and takes no answers.
async fn take_nothing(mut connection: TcpStream) {
    let requests = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    while connection.write_all(&requests).await.is_ok() {}
}

#[tokio::test]
async fn an_answer_that_nobody_takes_does_not_keep_its_connection() {
    let service = TestService::start_with(&ONE_CONNECTION).await;
    let mut connection = connection_after_an_answer(&service).await;
    // More than fits between the two. The client sends no more.
    let requests = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(200);
    connection.write_all(&requests).await.unwrap();
    the_connection_is_closed(&service).await;
}

/// The HTTP library polls such a connection without a pause.
#[tokio::test]
async fn a_client_that_sends_requests_and_takes_no_answers_occupies_no_worker() {
    let service = TestService::start_with(&ONE_CONNECTION[1..]).await;
    let connection = connection_after_an_answer(&service).await;
    let sending = tokio::spawn(take_nothing(connection));
    the_connection_is_closed(&service).await;
    sending.await.unwrap();
}

#[tokio::test]
async fn a_request_may_take_longer_than_an_idle_connection() {
    let limits = [PATIENT[0], PATIENT[1], UNCACHED, ("SERVER_KEEP_ALIVE", "1")];
    let service = TestService::start_with(&limits).await;
    let lock = service.database.lock("widgets").await;
    let mut connection = TcpStream::connect(service.address()).await.unwrap();
    let request = b"GET /api/v1/widgets/1 HTTP/1.1\r\nhost: x\r\n\r\n";
    connection.write_all(request).await.unwrap();
    let mut answer = vec![0; 4096];
    let three_times = tokio::time::timeout(Duration::from_secs(3), connection.read(&mut answer));
    let silence = three_times.await;
    assert!(silence.is_err(), "ended with {silence:?}");
    lock.rollback().await.unwrap();
    let length = connection.read(&mut answer).await.unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 404"));
    // The time for the next request has only begun.
    ask(&mut connection).await;
}

#[tokio::test]
async fn a_connection_above_the_maximum_waits_until_another_is_closed() {
    let maximum = [("SERVER_MAX_CONNECTIONS", "1"), ("SERVER_WORKERS", "1")];
    let service = TestService::start_with(&maximum).await;
    let first = connection_after_an_answer(&service).await;
    let mut second = TcpStream::connect(service.address()).await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(500), ask(&mut second)).await;
    assert!(waits.is_err(), "it was answered beside the first");
    drop(first);
    let answered = tokio::time::timeout(Duration::from_secs(20), read_answer(second)).await;
    assert!(answered.is_ok(), "it still waits");
}

/// Reads the answer to a request that was sent before.
async fn read_answer(mut connection: TcpStream) {
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn readiness_is_503_for_the_shutdown_delay_while_requests_are_answered() {
    let mut service = TestService::start_with(&[("SERVER_SHUTDOWN_DELAY", "30")]).await;
    service.signal("TERM");
    eventually("readiness is 503", async || {
        let ready = service.request(Method::GET, "/health/ready");
        service.send(ready).await.status == 503
    })
    .await;
    service.get("/widgets/count").await.expect(200);
    // Another signal ends the delay.
    service.signal("TERM");
    assert_eq!(service.service.wait().await.code(), Some(0));
}
