//! Lines of the log that explain the cache, on real processes.
//!
//! Come here after changing a field of the access log.

use serde_json::{Value, json};

use crate::scrape::Scrape;
use crate::support::eventually;
use crate::support::service::TestService;

fn first_line(service: &TestService) -> Value {
    service.log().first().expect("a line").clone()
}

/// The lines of requests so far.
fn requests(service: &TestService) -> Vec<Value> {
    let lines = service.log().into_iter();
    lines.filter(|line| line["message"] == "request").collect()
}

#[tokio::test]
async fn the_first_line_says_backend_topology_namespace_and_feed() {
    let servers = "127.0.0.1:11299,127.0.0.1:11298";
    for (settings, backend, topology, feed) in [
        (&[("CACHE_BACKEND", "redis")][..], "redis", "single", true),
        (
            &[
                ("CACHE_BACKEND", "memcached"),
                ("CACHE_MEMCACHED_SERVERS", servers),
                ("CACHE_MEMCACHED_PORT", ""),
            ],
            "memcached",
            "2 servers",
            true,
        ),
        (&[("CACHE_BACKEND", "memory")], "memory", "in process", true),
        (&[("CACHE_ENABLED", "false")], "disabled", "none", false),
    ] {
        let service = TestService::start_with(settings).await;
        let line = first_line(&service);
        assert_eq!(line["message"], "starting");
        assert_eq!(line["backend"], backend);
        assert_eq!(line["topology"], topology);
        assert_eq!(line["feed"], feed);
        assert_eq!(line["namespace"], service.namespace.as_str());
        assert_eq!(line["environment"], "development");
        assert_eq!(line["metrics"], true);
        assert!(!line.to_string().contains("127.0.0.1"), "{line}");
    }
}

#[tokio::test]
async fn the_line_of_a_write_says_what_it_invalidated() {
    let service = TestService::start().await;
    let token = service.new_user("ada").await;
    let id = service.new_widget(&token, "Cog").await;
    let path = format!("/widgets/{id}");
    service
        .patch(&token, &path, json!({"name": "Gear"}))
        .await
        .expect(200);
    service
        .patch("", &path, json!({"name": "Gear"}))
        .await
        .expect(401);
    let patches = || -> Vec<Value> {
        let lines = requests(&service).into_iter();
        lines.filter(|line| line["method"] == "PATCH").collect()
    };
    eventually("both lines are written", async || patches().len() == 2).await;
    let [succeeded, refused] = &patches()[..] else {
        panic!("{:#?}", patches());
    };
    let effect = succeeded["cache_effect"].as_str().expect("an effect");
    assert!(effect.starts_with("invalidated="), "{effect}");
    for name in [
        format!("widget:{id}"),
        "user_ada_widgets".to_owned(),
        "widget_search".to_owned(),
    ] {
        assert!(effect.contains(&name), "{name} in {effect}");
    }
    assert_eq!(refused.get("cache_effect"), None, "{refused}");
}

#[tokio::test]
async fn the_fields_of_a_request_are_the_labels_of_its_metrics() {
    let service = TestService::start().await;
    let token = service.new_user("ada").await;
    let id = service.new_widget(&token, "Cog").await;
    let path = format!("/widgets/{id}");
    service.get_cached("", &path).await;
    service.get(&format!("{path}?unknown=1")).await.expect(200);
    service.get("/nothing").await.expect(404);
    let scrape = Scrape::of(&service).await;
    let before = |line: &Value| line["route"] != "/metrics";
    let lines: Vec<Value> = requests(&service).into_iter().filter(before).collect();
    assert!(lines.len() > 5, "{lines:#?}");
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let series_of = |line: &Value, name: &str, labels: &[&str]| {
        let values: Vec<String> = labels.iter().map(|label| text(&line[label])).collect();
        let labels: Vec<(&str, &str)> = labels
            .iter()
            .copied()
            .zip(values.iter().map(String::as_str))
            .collect();
        assert!(scrape.value(name, &labels) >= 1.0, "{line}");
    };
    for line in &lines {
        let count = "http_server_request_duration_seconds_count";
        series_of(line, count, &["route", "method", "status"]);
        if line.get("cache_outcome").is_some() {
            let labels = ["route", "cache_outcome", "cache_detail"];
            series_of(line, "cache_lookups_total", &labels);
        }
    }
    assert!(lines.iter().any(|line| line["cache_outcome"] == "hit"));
    let first = first_line(&service);
    series_of(&first, "build_info", &["version", "profile"]);
    series_of(&first, "cache_backend_transitions_total", &["backend"]);
}
