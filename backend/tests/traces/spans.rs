//! The spans of requests: whose trace they belong to, what they say, and what they are linked to.
//!
//! Come here after adding a span or a field of one.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::json;
use sqlx::Executor;

use crate::receiver::{Receiver, Span};
use crate::support::answer::Answer;
use crate::support::eventually;
use crate::support::service::{Service, TestService};

/// The span of the client in every request here.
const CLIENT: &str = "00f067aa0ba902b7";

async fn traced(receiver: &Receiver, settings: &[(&str, &str)]) -> TestService {
    let endpoint = receiver.endpoint();
    let tracing = [
        ("TRACING_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    // The proof repeats requests, which would be in the traces too.
    TestService::start_with(&[&tracing, settings].concat())
        .await
        .without_proof()
}

fn new_trace() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Reads as part of a trace of the client.
async fn get(service: &Service, path: &str, trace: &str) -> Answer {
    let request = service.api(Method::GET, path, "");
    let request = request.header("traceparent", format!("00-{trace}-{CLIENT}-01"));
    service.send(request).await
}

#[track_caller]
fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
}

#[tokio::test]
async fn a_miss_is_a_trace_of_request_look_up_fill_and_query_below_the_client() {
    let receiver = Receiver::start();
    let service = traced(&receiver, &[]).await;
    let admin = service.admin().await;
    let id = service.new_widget(&admin, "tea").await;
    let trace = new_trace();
    let answer = get(&service, &format!("/widgets/{id}"), &trace)
        .await
        .expect(200);
    let spans = receiver.whole_trace(&trace).await;

    let request = named(&spans, "GET /api/v1/widgets/{widget_id}");
    assert_eq!(
        (request.parent.as_str(), request.kind),
        (CLIENT, SpanKind::Server)
    );
    assert_eq!(request.service, env!("CARGO_PKG_NAME"));
    assert_eq!(request.get("http.request.method"), "GET");
    assert_eq!(request.get("http.route"), "/api/v1/widgets/{widget_id}");
    assert_eq!(request.get("http.response.status_code"), "200");
    assert_eq!(request.get("cache_outcome"), "miss");
    assert_eq!(request.get("cache_detail"), "stored");
    assert_eq!(request.get("request_id"), answer.header("x-request-id"));
    assert!(!request.is_error);
    let expected = format!("00-{trace}-{}-01", request.id);
    assert_eq!(
        answer.header("traceparent"),
        expected,
        "the answer names the span"
    );

    let look_up = named(&spans, "cache.look_up");
    assert_eq!(look_up.parent, request.id);
    assert_eq!(look_up.get("cache_key"), format!("widget:{id}"));
    assert_eq!(look_up.get("cache_decision"), "fill");
    let fill = named(&spans, "cache.fill");
    assert_eq!(fill.parent, request.id);
    assert_eq!(fill.get("cache_stored"), "true");
    let query = named(&spans, "SELECT");
    assert_eq!(
        (query.parent.as_str(), query.kind),
        (fill.id.as_str(), SpanKind::Client)
    );
    assert!(
        query.get("db.query.text").contains("FROM widgets"),
        "{query:?}"
    );

    // The line of the request names the trace.
    eventually("the line is written", async || {
        service
            .log()
            .iter()
            .any(|line| line["trace_id"] == trace.as_str() && line["message"] == "request")
    })
    .await;
    // Two requests of the same trace are two spans below the client.
    get(&service, &format!("/widgets/{id}"), &trace)
        .await
        .expect(200);
    eventually("the hit arrives", async || {
        let spans = receiver.trace(&trace);
        spans
            .iter()
            .any(|span| span.get("cache_outcome") == "hit" && span.parent == CLIENT)
    })
    .await;
}

#[tokio::test]
async fn a_write_has_an_invalidation_that_says_what_it_ended() {
    let receiver = Receiver::start();
    let service = traced(&receiver, &[]).await;
    let admin = service.admin().await;
    let id = service.new_widget(&admin, "tea").await;
    let trace = new_trace();
    let change = service.api(Method::PATCH, &format!("/widgets/{id}"), &admin);
    let change = change.header("traceparent", format!("00-{trace}-{CLIENT}-01"));
    service
        .send(change.json(&json!({"name": "coffee"})))
        .await
        .expect(200);
    let spans = receiver.whole_trace(&trace).await;
    let request = named(&spans, "PATCH /api/v1/widgets/{widget_id}");
    let invalidation = named(&spans, "cache.invalidation");
    assert_eq!(invalidation.parent, request.id);
    let effect = invalidation.get("cache_effect");
    assert!(effect.contains(&format!("widget:{id}")), "{effect}");
    assert_eq!(request.get("cache_effect"), effect);
    let update = named(&spans, "UPDATE");
    assert_eq!(update.parent, request.id);
    assert!(
        !update.get("db.query.text").contains("coffee"),
        "no arguments: {update:?}"
    );
}

#[tokio::test]
async fn a_collapsed_request_is_linked_to_the_fill_that_it_waited_for() {
    let receiver = Receiver::start();
    let service = traced(&receiver, &[]).await;
    let admin = service.admin().await;
    let pool = service.database.pool().await;
    // Which requests meet is for the machine to say: in each round some of eight do.
    for _ in 0..20 {
        let path = format!("/widgets/{}", service.new_widget(&admin, "tea").await);
        let mut lock = pool.begin().await.unwrap();
        lock.execute("LOCK TABLE widgets IN ACCESS EXCLUSIVE MODE")
            .await
            .unwrap();
        let traces: Vec<String> = (0..8).map(|_| new_trace()).collect();
        let reads = traces.iter().map(|trace| get(&service, &path, trace));
        let (answers, ()) = futures_util::future::join(futures_util::future::join_all(reads), async {
            eventually("a handler waits for the lock", async || {
                let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
                sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() > 0
            })
            .await;
            lock.commit().await.unwrap();
        })
        .await;
        let is_collapsed = |answer: &Answer| answer.header("cache-status").contains("collapsed");
        let Some(position) = answers.iter().position(is_collapsed) else {
            continue;
        };
        let spans = receiver.whole_trace(&traces[position]).await;
        let look_up = named(&spans, "cache.look_up");
        assert_eq!(look_up.get("cache_decision"), "collapsed");
        let mut fills = Vec::new();
        for trace in &traces {
            let spans = receiver.whole_trace(trace).await;
            fills.extend(spans.into_iter().filter(|span| span.name == "cache.fill"));
        }
        let fills: Vec<&str> = fills.iter().map(|fill| fill.id.as_str()).collect();
        assert_eq!(look_up.links.len(), 1, "{look_up:?}");
        assert!(
            fills.contains(&look_up.links[0].as_str()),
            "{look_up:?} {fills:?}"
        );
        return;
    }
    panic!("no request was collapsed");
}

#[tokio::test]
async fn an_error_is_marked_and_a_refusal_is_not() {
    let receiver = Receiver::start();
    let service = traced(&receiver, &[]).await;
    let pool = service.database.pool().await;
    pool.execute("ALTER TABLE widgets RENAME TO away")
        .await
        .unwrap();
    let (failed, refused) = (new_trace(), new_trace());
    get(&service, "/widgets/1", &failed).await.expect(500);
    get(&service, "/nowhere", &refused).await.expect(404);
    let spans = receiver.whole_trace(&failed).await;
    assert!(named(&spans, "GET /api/v1/widgets/{widget_id}").is_error);
    assert!(named(&spans, "SELECT").is_error);
    let spans = receiver.whole_trace(&refused).await;
    let request = named(&spans, "GET");
    assert!(
        !request.is_error && request.get("http.route").is_empty(),
        "{request:?}"
    );
}

#[tokio::test]
async fn a_client_that_does_not_collect_its_trace_gets_its_id_back_and_nothing_is_sent() {
    let receiver = Receiver::start();
    let service = traced(&receiver, &[]).await;
    let trace = new_trace();
    let request = |traceparent: String| {
        let request = service.request(Method::GET, "/health");
        service.send(request.header("traceparent", traceparent))
    };
    let answer = request(format!("00-{trace}-{CLIENT}-00")).await;
    let traceparent = answer.header("traceparent");
    assert!(
        traceparent.starts_with(&format!("00-{trace}-")),
        "{traceparent}"
    );
    assert!(traceparent.ends_with("-00"), "{traceparent}");
    // A malformed one begins a trace, which is sent later than the first one would have been.
    let answer = request("00-xyz".to_owned()).await;
    let own = answer
        .header("traceparent")
        .split('-')
        .nth(1)
        .unwrap()
        .to_owned();
    assert_eq!(own.len(), 32);
    let spans = receiver.whole_trace(&own).await;
    assert_eq!(named(&spans, "GET /health").parent, "");
    assert!(receiver.trace(&trace).is_empty());
}
