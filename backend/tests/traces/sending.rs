//! The sending of spans: a receiver that is unavailable, silent or back again, and the end of the process.
//!
//! Come here after changing the exporter. What the spans say is in `spans`.

use std::net::TcpListener;

use reqwest::Method;

use crate::receiver::Receiver;
use crate::support::answer::Answer;
use crate::support::eventually;
use crate::support::service::{Service, TestService};

const QUICKLY: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "50");

async fn sending_to(port: u16, settings: &[(&str, &str)]) -> TestService {
    let endpoint = format!("http://127.0.0.1:{port}");
    let endpoint = ("TRACING_OTLP_ENDPOINT", endpoint.as_str());
    TestService::start_with(&[&[endpoint], settings].concat())
        .await
        .without_proof()
}

async fn health(service: &Service) -> Answer {
    service
        .send(service.request(Method::GET, "/health"))
        .await
        .expect(200)
}

/// The id of the trace that an answer names.
fn trace(answer: &Answer) -> String {
    answer
        .header("traceparent")
        .split('-')
        .nth(1)
        .expect("a trace")
        .to_owned()
}

async fn says(service: &Service, text: &str) {
    eventually("the log says it", async || {
        let log = service.log();
        log.iter().any(|line| {
            line["message"]
                .as_str()
                .is_some_and(|line| line.contains(text))
        })
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_is_away_holds_up_no_request_and_gets_spans_when_it_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let service = sending_to(port, &[QUICKLY]).await;
    for _ in 0..20 {
        health(&service).await;
    }
    says(
        &service,
        "the receiver of traces is not available: spans are dropped",
    )
    .await;
    let warnings = service
        .log()
        .iter()
        .filter(|line| line["level"] == "WARN")
        .count();
    let receiver = Receiver::on(TcpListener::bind(("127.0.0.1", port)).unwrap());
    let answer = health(&service).await;
    receiver.whole_trace(&trace(&answer)).await;
    says(&service, "the receiver of traces is available again").await;
    assert_eq!(warnings, 1, "one line, not one for each sending");
}

#[tokio::test]
async fn a_silent_receiver_and_a_full_queue_hold_up_neither_requests_nor_the_end() {
    // It accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let full = [
        QUICKLY,
        ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16"),
    ];
    let mut service = sending_to(port, &full).await;
    for _ in 0..200 {
        health(&service).await;
    }
    service.service.signal("TERM");
    assert!(service.service.wait().await.success());
}

#[tokio::test]
async fn the_last_spans_are_sent_when_the_process_ends() {
    let receiver = Receiver::start();
    let port = receiver
        .endpoint()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    // Longer than the test.
    let mut service = sending_to(port, &[("OTEL_BSP_SCHEDULE_DELAY", "3600000")]).await;
    let trace = trace(&health(&service).await);
    assert!(receiver.trace(&trace).is_empty());
    service.service.signal("TERM");
    assert!(service.service.wait().await.success());
    assert_eq!(receiver.trace(&trace).len(), 1);
}

#[tokio::test]
async fn without_a_receiver_answers_have_no_traceparent() {
    let service = TestService::start().await;
    let request = service.request(Method::GET, "/health");
    let request = request.header(
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    );
    assert_eq!(
        service
            .send(request)
            .await
            .expect(200)
            .header("traceparent"),
        ""
    );
}
