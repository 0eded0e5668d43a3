//! Answers to bytes that are no request, which the HTTP library gives, and to bodies in a content coding.
//!
//! Come here after an update of the HTTP library.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::eventually;
use crate::support::service::{Service, TestService};

/// The answers to bytes on a connection, until the service closes it.
async fn answers_to(service: &Service, request: &[u8]) -> Vec<u8> {
    let mut connection = TcpStream::connect(service.address()).await.unwrap();
    connection.write_all(request).await.unwrap();
    let mut answers = Vec::new();
    let read = connection.read_to_end(&mut answers);
    timeout(Duration::from_secs(30), read)
        .await
        .expect("the connection is closed")
        .unwrap();
    answers
}

/// Checks that an answer is a problem document with the id of its head, and returns that.
fn expect_problem(answer: &str, status: u16) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    assert!(
        first.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer}"
    );
    let headers: BTreeMap<_, _> = lines.map(|line| line.split_once(": ").unwrap()).collect();
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["content-length"], body.len().to_string());
    assert_eq!(headers["connection"], "close");
    let problem: Value = serde_json::from_str(body).expect("one document");
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"], headers["x-request-id"]);
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    headers["x-request-id"].to_owned()
}

#[tokio::test]
async fn a_head_that_is_no_request_gets_a_problem_document_and_a_line_in_the_log() {
    let service = TestService::start().await;
    let large = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx-large: {}",
        "x".repeat(131_072)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "a: b\r\n".repeat(100)
    );
    let requests: [(&[u8], u16); 8] = [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\na b: c\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
            400,
        ),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (large.as_bytes(), 431),
        (many.as_bytes(), 431),
    ];
    for (request, status) in requests {
        let answer = answers_to(&service, request).await;
        let request_id = expect_problem(&String::from_utf8(answer).unwrap(), status);
        eventually("the answer is logged", async || {
            let log = service.log();
            log.iter().any(|line| line["request_id"] == *request_id)
        })
        .await;
    }
    // Anybody can send such heads: they are no errors of the service.
    let log = service.log();
    assert!(log.iter().all(|line| line["level"] != "ERROR"), "{log:#?}");
}

#[tokio::test]
async fn a_head_that_does_not_arrive_in_time_gets_a_problem_document() {
    let service = TestService::start().await;
    let answer = answers_to(&service, b"GET / HTTP/1.1\r\nhost").await;
    expect_problem(&String::from_utf8(answer).unwrap(), 408);
}

#[tokio::test]
async fn answers_before_a_malformed_head_are_complete() {
    let service = TestService::start().await;
    let health = "GET /health HTTP/1.1\r\nhost: a\r\nx-request-id: first\r\n\r\n";
    let requests = format!("{health}{health}nonsense\r\n\r\n");
    let answers = answers_to(&service, requests.as_bytes()).await;
    let answers = String::from_utf8(answers).unwrap();
    let parts: Vec<&str> = answers.split("{\"status\":\"healthy\"}").collect();
    assert_eq!(parts.len(), 3, "{answers}");
    for head in &parts[..2] {
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("x-request-id: first\r\n"), "{head}");
    }
    expect_problem(parts[2], 400);
}

#[tokio::test]
async fn a_body_in_a_content_coding_is_415_and_the_answer_says_that_none_is_accepted() {
    let service = TestService::start().await;
    let send = async |coding: &str| {
        let request = service
            .api(Method::POST, "/users", "")
            .header("content-type", "application/json")
            .header("content-encoding", coding);
        service.send(request.body("{}")).await
    };
    for coding in ["gzip", "br", "zstd", "deflate", "x-own", "identity, gzip"] {
        let answer = send(coding).await.expect(415);
        assert_eq!(answer.header("accept-encoding"), "identity", "{coding}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    // No coding, in words.
    for coding in ["identity", "Identity", ""] {
        send(coding).await.expect(422);
    }
}
