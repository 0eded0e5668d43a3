//! The end of the program: what SIGTERM leaves time for.
//!
//! Come here for a request or a task that SIGTERM might cut off. Pending deletions of the cache at SIGTERM are in
//! `tests/resilience`.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::management::management;
use crate::support::eventually;
use crate::support::service::{PASSWORD, TestService};

/// Statements may wait longer than these tests take.
const PATIENT: [(&str, &str); 2] = [
    ("DATABASE_LOCK_TIMEOUT", "20"),
    ("DATABASE_STATEMENT_TIMEOUT", "20"),
];

/// Longer than the end of a process that has nothing to do.
const LONGER_THAN_AN_END: Duration = Duration::from_millis(1500);

/// Shorter than the time for which an idle connection may stay open, and than the time that requests have to finish.
const BEFORE_KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Waits until the service takes no new connection.
async fn until_it_listens_no_longer(service: &TestService) {
    eventually("no new connection is taken", async || {
        TcpStream::connect(service.address()).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn sigterm_lets_a_request_whose_body_is_still_coming_finish_and_ends_with_0() {
    let mut service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let body = json!({"name": "made while stopping"}).to_string();
    let (first, second) = body.split_at(5);
    let mut slow = TcpStream::connect(service.address()).await.unwrap();
    let head = format!(
        "POST /api/v1/widgets HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ada}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{first}",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    service.signal("TERM");
    until_it_listens_no_longer(&service).await;
    slow.write_all(second.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    slow.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 201");
    drop(slow);
    assert_eq!(service.service.wait().await.code(), Some(0));
}

/// Four connections have had an answer, and two have sent nothing. Connections go to the two workers in turn.
#[tokio::test]
async fn sigterm_closes_connections_without_a_request() {
    let mut service = TestService::start_with(&[("SERVER_WORKERS", "2")]).await;
    let mut connections = Vec::new();
    for has_asked in [true, true, true, true, false, false] {
        let mut connection = TcpStream::connect(service.address()).await.unwrap();
        if has_asked {
            let request = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
            connection.write_all(request).await.unwrap();
            let mut answer = [0; 12];
            connection.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
        }
        connections.push(connection);
    }
    service.signal("TERM");
    for mut connection in connections {
        let mut rest = Vec::new();
        let closed = timeout(BEFORE_KEEP_ALIVE, connection.read_to_end(&mut rest));
        closed.await.expect("the connection stays open").unwrap();
    }
    assert_eq!(service.service.wait().await.code(), Some(0));
}

/// Each of these requests waits for the table of tokens: all but the sign-in to find out who is calling.
#[tokio::test]
async fn sigterm_lets_requests_finish_whose_caller_is_still_being_looked_up() {
    let mut service = TestService::start_with(&PATIENT).await;
    let ada = service.new_user("ada").await;
    let again = service.sign_in("ada", PASSWORD).await;
    let widget = service.new_widget(&ada, "old").await;
    let credentials = json!({"username": "ada", "password": PASSWORD});
    let widget = format!("/widgets/{widget}");
    let requests = [
        (
            service.api(Method::POST, "/widgets", &ada),
            Some(json!({"name": "new"})),
            201,
        ),
        (
            service.api(Method::PATCH, &widget, &ada),
            Some(json!({"name": "new"})),
            200,
        ),
        (service.api(Method::POST, "/auth/logout", &again), None, 204),
        (
            service.api(Method::POST, "/auth/login", ""),
            Some(credentials),
            200,
        ),
        (service.api(Method::GET, "/users/me", &ada), None, 200),
        (service.api(Method::GET, "/auth/sessions", &ada), None, 200),
    ];
    let count = requests.len();
    let lock = service.database.lock("access_tokens").await;
    let mut answers = JoinSet::new();
    for (request, body, status) in requests {
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        answers.spawn(async move { (request.send().await.unwrap().status(), status) });
    }
    service.database.until_statements_wait(count, "").await;
    service.signal("TERM");
    until_it_listens_no_longer(&service).await;
    // A process without a write ends in this time.
    tokio::time::sleep(LONGER_THAN_AN_END).await;
    lock.rollback().await.unwrap();
    for (answer, status) in answers.join_all().await {
        assert_eq!(answer.as_u16(), status);
    }
    assert_eq!(service.service.wait().await.code(), Some(0));
}

/// The first request is answered by `SERVER_REQUEST_TIMEOUT`, while its caller is still being looked up. The second one
/// belongs to no policy of the cache.
#[tokio::test]
async fn c20_sigterm_lets_late_writes_finish_whose_clients_have_their_answer() {
    let limit = ("SERVER_REQUEST_TIMEOUT", "1");
    let mut service = TestService::start_with(&[PATIENT[0], PATIENT[1], limit]).await;
    let ada = service.new_user("ada").await;
    let again = service.sign_in("ada", PASSWORD).await;
    let lock = service.database.lock("access_tokens").await;
    let post = |token: &str, path| service.api(Method::POST, path, token);
    let late = [
        post(&ada, "/widgets").json(&json!({"name": "late"})),
        post(&again, "/auth/logout"),
    ];
    for answer in futures_util::future::join_all(late.map(RequestBuilder::send)).await {
        assert_eq!(answer.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    service.signal("TERM");
    until_it_listens_no_longer(&service).await;
    // A process without a write ends in this time.
    tokio::time::sleep(LONGER_THAN_AN_END).await;
    lock.rollback().await.unwrap();
    assert_eq!(service.service.wait().await.code(), Some(0));
    let count = "SELECT (SELECT count(*) FROM widgets), (SELECT count(*) FROM access_tokens WHERE user_id = (SELECT id FROM users WHERE username = 'ada'))";
    let counts: (i64, i64) = sqlx::query_as(count)
        .fetch_one(&service.database.pool().await)
        .await
        .unwrap();
    assert_eq!(counts, (1, 1), "the widget is there, one token is revoked");
}

#[tokio::test]
async fn sigterm_lets_requests_for_management_finish() {
    let mut service =
        TestService::start_with(&[PATIENT[0], PATIENT[1], ("MANAGEMENT_PORT", "0")]).await;
    let admin = service.admin().await;
    let management = management(&service);
    let client = reqwest::Client::new();
    let url = |path| format!("http://{management}/api/v1/cache/{path}");
    let requests = [
        client.get(url("stats")),
        client
            .post(url("purge"))
            .json(&json!({"keys": ["widget:1"]})),
    ];
    let lock = service.database.lock("access_tokens").await;
    let mut answers = JoinSet::new();
    for request in requests {
        answers.spawn(request.bearer_auth(&admin).send());
    }
    service.database.until_statements_wait(2, "").await;
    service.signal("TERM");
    until_it_listens_no_longer(&service).await;
    // A process without a write ends in this time.
    tokio::time::sleep(LONGER_THAN_AN_END).await;
    lock.rollback().await.unwrap();
    for answer in answers.join_all().await {
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(service.service.wait().await.code(), Some(0));
}
