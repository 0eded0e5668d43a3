//! `/api/v1/cache/…`: the data of the console.
//!
//! Come here after changing what the console shows. Purges and bad input are in `console_purge`.

use serde_json::{Value, json};

use crate::support::service::{Service, TestService};
use crate::support::{eventually, variable};

pub const BACKENDS: [&str; 3] = ["redis", "memcached", "memory"];

pub async fn on(backend: &str) -> TestService {
    TestService::start_with(&[("CACHE_BACKEND", backend)]).await
}

/// A widget with a markup in its name that was read once: its path, and the key of its entry.
pub async fn cached_widget(service: &TestService, token: &str) -> (String, String) {
    let id = service.new_widget(token, "<b>tea</b>").await;
    let path = format!("/widgets/{id}");
    service.get(&path).await.expect(200);
    (path, format!("widget:{id}"))
}

/// Copies of an entry under the keys `seeded:0` and so on.
async fn copy_entry(namespace: &str, key: &str, copies: usize) {
    let address = format!("redis://127.0.0.1:{}", variable("TEST_REDIS_PORT"));
    let client = redis::Client::open(address).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut get = redis::cmd("GET");
    get.arg(format!("{namespace}:{key}"));
    let value: Vec<u8> = get.query_async(&mut connection).await.unwrap();
    let mut copy = redis::pipe();
    for number in 0..copies {
        let set = copy.cmd("SET").arg(format!("{namespace}:seeded:{number}"));
        set.arg(&value).arg("EX").arg(600).ignore();
    }
    copy.query_async::<()>(&mut connection).await.unwrap();
}

pub async fn data(service: &TestService, token: &str, path: &str) -> Vec<Value> {
    let answer = service.get_as(token, path).await.expect(200).json();
    answer["data"].as_array().expect("a list").clone()
}

/// The entries whose keys begin with `prefix`. All parts are read: the server's list has the keys of other tests too, and
/// the part before the first entry may be empty.
async fn entries(service: &TestService, token: &str, prefix: &str) -> (Vec<Value>, Value) {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/cache/entries?prefix={prefix}{cursor}");
        let mut part = service.get_as(token, &path).await.expect(200).json();
        entries.extend(part["data"].as_array().expect("a list").clone());
        match part["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (entries, part["is_list_of_server"].take()),
        }
    }
}

fn names(events: &[Value]) -> Vec<(&str, &str)> {
    events
        .iter()
        .map(|event| {
            let kind = event["kind"].as_str().expect("a kind");
            (kind, event["route"].as_str().unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn the_console_is_for_superusers() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    for path in ["stats", "map", "entries", "entries/widget:1", "events"] {
        let path = format!("/cache/{path}");
        service.get_as("", &path).await.expect(401);
        service.get_as(&ada, &path).await.expect(403);
    }
    let purge = json!({"keys": ["widget:1"]});
    service
        .post("", "/cache/purge", purge.clone())
        .await
        .expect(401);
    service.post(&ada, "/cache/purge", purge).await.expect(403);
    service
        .delete("", "/cache/entries/widget:1")
        .await
        .expect(401);
    service
        .delete(&ada, "/cache/entries/widget:1")
        .await
        .expect(403);
}

#[tokio::test]
async fn an_entry_is_listed_opened_deleted_and_missed() {
    for backend in BACKENDS {
        let service = on(backend).await;
        let admin = service.admin().await;
        let (path, key) = cached_widget(&service, &admin).await;
        let (listed, is_list_of_server) = entries(&service, &admin, "widget:").await;
        assert_eq!(is_list_of_server, backend != "memcached", "{backend}");
        let entry = &listed[0];
        assert_eq!(
            (&entry["key"], &entry["state"]),
            (&json!(key), &json!("answer"))
        );
        assert!(entry["ttl_seconds"].as_f64().unwrap() > 500.0, "{entry}");
        let opened = service
            .get_as(&admin, &format!("/cache/entries/{key}"))
            .await;
        let opened = opened.expect(200).json();
        assert_eq!(opened["body_encoding"], "text");
        let body: Value = serde_json::from_str(opened["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["name"], "<b>tea</b>");
        assert_eq!(opened["headers"][0]["name"], "content-type");
        let deleted = service
            .delete(&admin, &format!("/cache/entries/{key}"))
            .await;
        deleted.expect(204);
        let gone = service
            .get_as(&admin, &format!("/cache/entries/{key}"))
            .await;
        gone.expect(404);
        let again = service.get(&path).await.expect(200);
        assert!(
            again.header("cache-status").contains("uri-miss"),
            "{backend}"
        );
    }
}

#[tokio::test]
async fn the_history_of_a_key_names_the_requests_that_stored_and_ended_it() {
    for backend in BACKENDS {
        let service = on(backend).await;
        let admin = service.admin().await;
        let (path, key) = cached_widget(&service, &admin).await;
        service
            .patch(&admin, &path, json!({"name": "coffee"}))
            .await
            .expect(200);
        service.get(&path).await.expect(200);
        let events = data(&service, &admin, &format!("/cache/events?key={key}")).await;
        let (read, write) = (
            "GET /api/v1/widgets/{widget_id}",
            "PATCH /api/v1/widgets/{widget_id}",
        );
        let requests: Vec<_> = names(&events);
        let of_requests = requests.into_iter().filter(|(_, route)| !route.is_empty());
        let expected = [
            ("stored", read),
            ("invalidated", write),
            ("stored", read),
            // A row that comes into being ends the answer that there is none.
            ("invalidated", "POST /api/v1/widgets"),
        ];
        assert_eq!(of_requests.collect::<Vec<_>>(), expected, "{backend}");
        assert!(events.iter().all(|event| event["at"].is_string()));
        assert!(
            events[0]["request_id"]
                .as_str()
                .is_some_and(|id| id.len() == 36)
        );
        let other = data(&service, &admin, "/cache/events?key=widget:999").await;
        assert!(other.is_empty(), "{other:?}");
        let page = service
            .get_as(&admin, "/cache/events?items_per_page=1")
            .await;
        let page = page.expect(200).json();
        assert_eq!(
            (page["data"].as_array().unwrap().len(), &page["has_more"]),
            (1, &json!(true))
        );
    }
}

#[tokio::test]
async fn the_end_of_a_group_stands_in_the_history_of_its_keys_and_ends_them_in_the_list() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    let id = service.new_widget(&admin, "tea").await;
    service.get("/users/admin/widgets").await.expect(200);
    let prefix = "user_admin_widgets";
    let (listed, _) = entries(&service, &admin, prefix).await;
    assert_eq!(listed[0]["group"], "user_admin_widgets");
    assert_eq!(listed[0]["state"], "answer");
    let key = listed[0]["key"].as_str().unwrap().to_owned();
    service
        .delete(&admin, &format!("/widgets/{id}"))
        .await
        .expect(204);
    let (listed, _) = entries(&service, &admin, prefix).await;
    assert_eq!(listed[0]["state"], "ended");
    let events = data(&service, &admin, &format!("/cache/events?key={key}")).await;
    let ended = names(&events).contains(&("invalidated", "DELETE /api/v1/widgets/{widget_id}"));
    assert!(ended, "{events:?}");
}

#[tokio::test]
async fn ten_thousand_entries_are_listed_in_parts_and_each_once_at_least() {
    let service = TestService::start().await.without_proof();
    let admin = service.admin().await;
    let (_, key) = cached_widget(&service, &admin).await;
    copy_entry(&service.namespace, &key, 10_000).await;
    let mut seen = std::collections::BTreeSet::new();
    let (mut cursor, mut parts) = (String::new(), 0);
    loop {
        let path = format!("/cache/entries?prefix=seeded:&limit=200{cursor}");
        let part = service.get_as(&admin, &path).await.expect(200).json();
        let entries = part["data"].as_array().unwrap();
        assert!(entries.len() <= 400, "{}", entries.len());
        seen.extend(entries.iter().map(|entry| entry["key"].to_string()));
        parts += 1;
        match part["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 10_000);
    assert!(parts > 20, "{parts}");
}

#[tokio::test]
async fn another_instance_shows_the_events_of_all() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    let (_, key) = cached_widget(&service, &admin).await;
    let settings = [("CACHE_NAMESPACE", service.namespace.as_str())];
    let other = Service::start(&service.database.url(), &settings).await;
    eventually("the event is on the other instance", async || {
        let path = format!("/cache/events?key={key}");
        let answer = other.get_as(&admin, &path).await.expect(200).json();
        answer["total_count"].as_i64() >= Some(1)
    })
    .await;
}

#[tokio::test]
async fn the_figures_of_a_route_are_those_of_its_requests() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    let (path, _) = cached_widget(&service, &admin).await;
    service.get(&path).await.expect(200);
    let stats = service
        .get_as(&admin, "/cache/stats")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&stats["health"], &stats["backends"][0]["availability"]),
        (&json!("up"), &json!("ready"))
    );
    let routes = stats["routes"].as_array().unwrap();
    let route = routes
        .iter()
        .find(|route| route["route"] == "GET /api/v1/widgets/{widget_id}");
    let route = route.expect("the route");
    assert!(route["hits"].as_u64() >= Some(1), "{route}");
    assert!(route["requests"].as_u64() >= Some(2), "{route}");
    assert!(!route["durations"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_map_has_the_routes_of_the_program() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    let map = service
        .get_as(&admin, "/cache/map")
        .await
        .expect(200)
        .json();
    let routes = map["routes"].as_array().unwrap();
    let find = |method: &str| {
        let is_it = |route: &&Value| {
            route["method"] == method && route["path"] == "/api/v1/widgets/{widget_id}"
        };
        routes.iter().find(is_it).expect("the route")
    };
    assert_eq!(find("GET")["key"], "widget:{widget_id}");
    let keys = &find("DELETE")["ends_keys"];
    assert_eq!(keys, &json!(["widget:{widget_id}", "widget_count:global"]));
    assert_eq!(find("DELETE")["ends_groups"][0], "user_{owner}_widgets");
    let changes = map["changes"].as_array().unwrap();
    let of = |kind: &str| {
        let change = changes.iter().find(|change| change["kind"] == kind);
        change.unwrap_or_else(|| panic!("no {kind} in {changes:?}"))
    };
    let users = &of("users")["ends_keys"];
    assert_eq!(users, &json!(["user:{username}", "me_{user_id}:profile"]));
    let widgets = of("widgets");
    assert_eq!(
        widgets["ends_keys"],
        json!(["widget:{widget_id}", "widget_count:global"])
    );
    assert_eq!(
        of("widget_owners")["ends_groups"],
        json!(["user_{owner}_widgets", "widget_search"])
    );
}

#[tokio::test]
async fn with_the_cache_away_or_off_the_console_says_so() {
    let away = TestService::start_with(&[("CACHE_REDIS_PORT", "1")]).await;
    let admin = away.admin().await;
    let stats = away.get_as(&admin, "/cache/stats").await.expect(200).json();
    assert_eq!(stats["backends"][0]["availability"], "unavailable");
    away.get_as(&admin, "/cache/entries").await.expect(503);
    away.get_as(&admin, "/cache/entries/widget:1")
        .await
        .expect(503);
    let purged = away
        .post(&admin, "/cache/purge", json!({"keys": ["widget:1"]}))
        .await;
    assert_eq!(purged.expect(200).json()["pending"], json!(["redis"]));
    let events = data(&away, &admin, "/cache/events?key=widget:1").await;
    assert_eq!(events[0]["source"], "operator");
    let off = TestService::start_with(&[("CACHE_ENABLED", "false")]).await;
    let admin = off.admin().await;
    let stats = off.get_as(&admin, "/cache/stats").await.expect(200).json();
    assert_eq!(
        (&stats["health"], &stats["backends"]),
        (&json!("disabled"), &json!([]))
    );
    off.post(&admin, "/cache/purge", json!({"keys": ["widget:1"]}))
        .await
        .expect(503);
}
