//! The metrics of requests: what is counted, and what never becomes a label.
//!
//! Come here after adding a label.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::scrape::Scrape;
use crate::support::service::TestService;
use crate::support::unique;

const DURATION: &str = "http_server_request_duration_seconds";
const COUNT: &str = "http_server_request_duration_seconds_count";
const WIDGET: &str = "/api/v1/widgets/{widget_id}";

#[tokio::test]
async fn requests_are_counted_by_template_method_and_status() {
    let service = TestService::start().await;
    let token = service.new_user("ada").await;
    let id = service.new_widget(&token, "Cog").await;
    for path in [format!("/widgets/{id}"), format!("/widgets/{id}/")] {
        service.get(&path).await.expect(200);
    }
    let head = service.api(Method::HEAD, &format!("/widgets/{id}"), "");
    service.send(head).await.expect(200);
    service.get("/widgets/999999999").await.expect(404);
    service.get("/widgets/text").await.expect(400);
    service
        .put(&token, &format!("/widgets/{id}"), json!({}))
        .await
        .expect(405);
    service
        .patch("", &format!("/widgets/{id}"), json!({}))
        .await
        .expect(401);
    service.get("/nothing").await.expect(404);
    let scrape = Scrape::of(&service).await;
    let count = |route: &str, method: &str, status: &str| {
        scrape.value(
            COUNT,
            &[("route", route), ("method", method), ("status", status)],
        )
    };
    assert!(count(WIDGET, "GET", "200") >= 2.0);
    assert!(count(WIDGET, "HEAD", "200") >= 1.0);
    for (method, status) in [
        ("GET", "404"),
        ("GET", "400"),
        ("PUT", "405"),
        ("PATCH", "401"),
    ] {
        assert!(count(WIDGET, method, status) >= 1.0, "{method} {status}");
    }
    assert!(count("-", "GET", "404") >= 1.0);
    let templates: BTreeSet<&str> = scrape
        .series
        .iter()
        .filter_map(|series| series.labels.get("route").map(String::as_str))
        .collect();
    assert!(templates.contains("/api/v1/users"), "{templates:?}");
}

#[tokio::test]
async fn the_buckets_of_latencies_reach_from_microseconds_to_the_longest_deadline() {
    let service = TestService::start().await;
    service.get("/widgets").await.expect(200);
    let scrape = Scrape::of(&service).await;
    let bounds: Vec<f64> = scrape
        .series
        .iter()
        .filter(|series| series.name == format!("{DURATION}_bucket"))
        .filter(|series| series.labels["route"] == "/api/v1/widgets")
        .map(|series| series.labels["le"].parse().unwrap())
        .collect();
    assert!(bounds[0] <= 50e-6, "{bounds:?}");
    assert!(
        bounds.contains(&30.0) && bounds.contains(&f64::INFINITY),
        "{bounds:?}"
    );
    assert!(bounds.is_sorted());
    let labels = [("route", "/api/v1/widgets"), ("status", "200")];
    let sum = scrape.value(&format!("{DURATION}_sum"), &labels);
    assert!(sum > 0.0 && sum < 30.0, "seconds: {sum}");
}

#[tokio::test]
async fn random_paths_methods_queries_and_users_add_no_series() {
    let service = TestService::start().await;
    let noise = async |round: u64| {
        let word = unique("noise");
        for path in [
            format!("/{word}"),
            format!("/api/v1/{word}/{round}"),
            format!("/api/v1/users/{word}"),
            format!("/api/v1/users/{word}/widgets?page={}", round + 1),
            format!("/api/v1/widgets?q={word}"),
            format!("/api/v1/widgets/{}", 1_000_000 + round),
            format!("/api/v1/widgets/1?{word}={word}"),
        ] {
            let request = service
                .request(Method::GET, &path)
                .header("x-request-id", &word);
            service.send(request).await;
            let invented = Method::from_bytes(word.to_uppercase().replace('_', "-").as_bytes());
            service
                .send(service.request(invented.unwrap(), &path))
                .await;
        }
        let body = json!({"username": word, "password": word});
        service.post("", "/auth/login", body).await.expect(401);
        word
    };
    noise(0).await;
    let before = Scrape::of(&service).await.identities();
    let mut words = Vec::new();
    for round in 1..8 {
        words.push(noise(round).await);
    }
    let scrape = Scrape::of(&service).await;
    let after = scrape.identities();
    let new: Vec<_> = after.difference(&before).collect();
    // The first scrape is counted in the second.
    let new: Vec<_> = new
        .iter()
        .filter(|series| !series.contains("/metrics"))
        .collect();
    assert!(new.is_empty(), "{new:#?}");
    for word in words {
        let known = [word.clone(), word.to_uppercase().replace('_', "-")];
        assert!(
            !known.iter().any(|word| scrape.text.contains(word)),
            "{word}"
        );
    }
}

#[tokio::test]
async fn a_limited_request_is_counted_under_its_route() {
    let settings = [("MANAGEMENT_PORT", "0"), ("RATE_LIMIT", "1/day")];
    let service = TestService::start_with(&settings).await.without_proof();
    service.get("/widgets/1").await.expect(404);
    service.get("/widgets/2").await.expect(429);
    service.get("/nothing").await.expect(429);
    let lines = service.log();
    let management = lines
        .iter()
        .find(|line| line["message"] == "listening for management")
        .expect("the line of the log");
    let address = management["address"].as_str().expect("an address");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{address}/metrics")).send().await;
    let scrape = Scrape::parse(answer.unwrap().text().await.unwrap());
    for route in [WIDGET, "-"] {
        let labels = [("route", route), ("status", "429")];
        assert!(scrape.value(COUNT, &labels) >= 1.0, "{route}");
    }
}

#[tokio::test]
async fn a_request_past_its_time_is_counted_without_a_route() {
    let settings = [
        ("SERVER_REQUEST_TIMEOUT", "1"),
        ("DATABASE_STATEMENT_TIMEOUT", "20"),
        ("DATABASE_LOCK_TIMEOUT", "20"),
    ];
    let service = TestService::start_with(&settings).await.without_proof();
    let lock = service.database.lock("widgets").await;
    service.get("/widgets/1").await.expect(503);
    drop(lock);
    let scrape = Scrape::of(&service).await;
    let labels = [("route", "-"), ("method", "GET"), ("status", "503")];
    assert!(scrape.value(COUNT, &labels) >= 1.0);
    let sum = scrape.value(&format!("{DURATION}_sum"), &labels);
    assert!(
        sum >= 1.0,
        "it lasted for SERVER_REQUEST_TIMEOUT at least: {sum}"
    );
}

#[tokio::test]
async fn without_metrics_enabled_there_are_none() {
    let service = TestService::start_with(&[("METRICS_ENABLED", "false")]).await;
    service.get("/widgets").await.expect(200);
    let metrics = service.request(Method::GET, "/metrics");
    service.send(metrics).await.expect(404);
}

#[tokio::test]
async fn the_answer_is_the_text_format_of_prometheus_and_is_not_stored() {
    let service = TestService::start().await;
    let answer = service
        .send(service.request(Method::GET, "/metrics"))
        .await
        .expect(200);
    let media_type = answer.header("content-type").to_owned();
    assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    let scrape = Scrape::parse(answer.text);
    for name in scrape.metrics().keys() {
        let help = format!("# HELP {name} ");
        assert!(scrape.text.contains(&help), "{name} is not described");
    }
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(
        scrape.value("build_info", &version).to_bits(),
        1f64.to_bits()
    );
    assert!(scrape.value("process_start_time_seconds", &[]) > 1.7e9);
}
