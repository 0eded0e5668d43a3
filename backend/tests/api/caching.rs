//! The cache policies of the HTTP contract: the key of every cached route, and the headers of its
//! answers.
//!
//! Come here after adding a cached route. What each write ends is in `invalidation`.

use reqwest::Method;
use serde_json::json;

use crate::support::eventually;
use crate::support::service::{PASSWORD, TestService};

#[tokio::test]
async fn every_cached_route_has_the_key_of_the_contract() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let id = service.new_widget(&ada, "cog").await;
    let me = service.get_as(&ada, "/users/me").await.json()["id"].clone();
    let routes = [
        (format!("/widgets/{id}"), format!("widget:{id}"), 600),
        ("/users/ada".to_owned(), "user:ada".to_owned(), 600),
        ("/users/me".to_owned(), format!("me_{me}:profile"), 60),
        (
            "/users/ada/widgets".to_owned(),
            "user_ada_widgets:page_1:size_10:ada".to_owned(),
            60,
        ),
        // A parameter that the list does not have is ignored (C14).
        (
            "/users/ada/widgets?items_per_page=05&page=2&x=y".to_owned(),
            "user_ada_widgets:page_2:size_5:ada".to_owned(),
            60,
        ),
        (
            "/widgets/count".to_owned(),
            "widget_count:global".to_owned(),
            300,
        ),
    ];
    for (path, key, expiration) in routes {
        let miss = service.get_as(&ada, &path).await;
        let hit = service.get_as(&ada, &path).await.expect(200);
        assert_eq!(hit.key(), key, "{path}");
        assert!(
            path == "/users/me" || miss.header("cache-status").contains("fwd=uri-miss; stored"),
            "{miss:#?}"
        );
        let ttl = hit
            .header("cache-status")
            .split("ttl=")
            .nth(1)
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let ttl: u64 = ttl.parse().unwrap();
        assert!(
            ttl <= expiration && ttl >= expiration * 9 / 10,
            "{path}: {ttl} of {expiration}"
        );
    }
    let search = service.get("/widgets?q=cog").await;
    assert!(search.key().starts_with("widget_search:"), "{search:#?}");
    assert!(
        service
            .get("/widgets?items_per_page=10&q=cog&page=1")
            .await
            .is_hit(),
        "the query is normalised"
    );
    assert!(!service.get("/widgets?q=Cog").await.is_hit());
    assert!(!service.get("/widgets?q=cog&page=2").await.is_hit());
}

#[tokio::test]
async fn c08_a_hit_is_byte_for_byte_the_stored_answer() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let path = service
        .create(&ada, "/widgets", json!({"name": "cog"}))
        .await;
    let (miss, hit) = (
        service.get(&path).await.expect(200),
        service.get(&path).await.expect(200),
    );
    assert!(hit.is_hit());
    assert_eq!(miss.text, hit.text);
    for header in ["content-type", "content-length", "etag"] {
        assert_eq!(miss.header(header), hit.header(header), "{header}");
    }
    assert_ne!(miss.header("x-request-id"), hit.header("x-request-id"));
}

#[tokio::test]
async fn c11_head_is_answered_from_the_entry_of_get_and_stores_nothing() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let path = service
        .create(&ada, "/widgets", json!({"name": "cog"}))
        .await;
    let head = async || {
        service
            .send(service.api(Method::HEAD, &path, ""))
            .await
            .expect(200)
    };
    assert!(!head().await.is_hit());
    assert!(!head().await.is_hit(), "HEAD stores nothing");
    let get = service.get(&path).await.expect(200);
    assert!(!get.is_hit());
    let answer = head().await;
    assert!(answer.is_hit());
    assert!(answer.text.is_empty());
    assert_eq!(
        answer.header("content-length"),
        get.header("content-length")
    );
}

#[tokio::test]
async fn c13_a_profile_is_never_another_persons() {
    let service = TestService::start().await;
    let (ada, bob) = (service.new_user("ada").await, service.new_user("bob").await);
    for _ in 0..2 {
        assert_eq!(
            service.get_as(&ada, "/users/me").await.expect(200).json()["username"],
            "ada"
        );
        assert_eq!(
            service.get_as(&bob, "/users/me").await.expect(200).json()["username"],
            "bob"
        );
        for token in ["", "nonsense"] {
            let answer = service.get_as(token, "/users/me").await.expect(401);
            assert!(!answer.text.contains("example.com"));
        }
    }
}

#[tokio::test]
async fn c13_a_shared_hit_does_not_look_at_the_token() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let path = service
        .create(&ada, "/widgets", json!({"name": "cog"}))
        .await;
    service.get(&path).await.expect(200);
    for token in ["", "nonsense", ada.as_str()] {
        assert!(
            service.get_as(token, &path).await.expect(200).is_hit(),
            "{token}"
        );
    }
}

#[tokio::test]
async fn c28_without_the_cache_every_request_is_answered_by_its_handler() {
    // Nothing listens on this port: an attempt to connect would be in the log.
    let service =
        TestService::start_with(&[("CACHE_ENABLED", "false"), ("CACHE_REDIS_PORT", "1")]).await;
    let ada = service.new_user("ada").await;
    let path = service
        .create(&ada, "/widgets", json!({"name": "cog"}))
        .await;
    for _ in 0..2 {
        let answer = service.get(&path).await.expect(200);
        assert_eq!(
            answer.header("cache-status"),
            "backend; fwd=bypass; detail=disabled"
        );
    }
    assert!(
        service.log().iter().all(|line| line["level"] != "WARN"),
        "{:#?}",
        service.log()
    );
}

#[tokio::test]
async fn c31_production_hides_keys_and_the_header_can_be_turned_off() {
    let service = TestService::start_with(&[("ENVIRONMENT", "production")]).await;
    assert_eq!(
        service.get("/widgets/count").await.header("cache-status"),
        "backend; fwd=uri-miss; stored"
    );
    let answer = service.get("/widgets/count").await;
    assert!(answer.is_hit() && answer.key().is_empty(), "{answer:#?}");
    let answer = service.sign_up("ada").await;
    assert_eq!(answer.header("cache-status"), "backend; fwd=method");
    let service = TestService::start_with(&[("CACHE_STATUS_HEADER", "false")]).await;
    assert_eq!(
        service
            .get("/widgets/count")
            .await
            .expect(200)
            .header("cache-status"),
        ""
    );
}

#[tokio::test]
async fn c32_the_log_has_one_line_for_a_request_with_outcome_and_key_and_no_secret() {
    // The proof sends requests of its own.
    let service = TestService::start().await.without_proof();
    let ada = service.new_user("ada").await;
    for _ in 0..2 {
        service
            .get_as(&ada, "/users/me?token=in-the-query")
            .await
            .expect(200);
    }
    service.get_as(&ada, "/users/me").await.expect(200);
    service.get_as(&ada, "/users/me").await.expect(200);
    service
        .post(
            "",
            "/auth/login",
            json!({"username": "ada", "password": "a wrong secret"}),
        )
        .await
        .expect(401);
    let requests = |log: &[serde_json::Value]| {
        let is_request = |line: &&serde_json::Value| line["message"] == "request";
        log.iter().filter(is_request).cloned().collect::<Vec<_>>()
    };
    eventually("all lines are written", async || {
        requests(&service.log()).len() >= 7
    })
    .await;
    let log = service.log();
    let lines = requests(&log);
    assert_eq!(lines.len(), 7, "one line a request: {log:#?}");
    let hit = &lines[5];
    assert!(
        hit["cache"].as_str().unwrap().starts_with("backend; hit"),
        "{hit:#?}"
    );
    assert!(
        hit["cache_key"].as_str().unwrap().starts_with("me_"),
        "{hit:#?}"
    );
    assert_eq!(
        (&hit["method"], &hit["status"]),
        (&json!("GET"), &json!(200))
    );
    assert_eq!(hit["route"], "/api/v1/users/me");
    assert_eq!(hit["level"], "INFO");
    assert!(
        hit["user_id"].is_i64() && hit["latency_ms"].is_f64(),
        "{hit:#?}"
    );
    assert!(hit["span"]["request_id"].is_string(), "{hit:#?}");
    let text = serde_json::to_string(&log).unwrap();
    for secret in [
        PASSWORD,
        "a wrong secret",
        ada.as_str(),
        "@example.com",
        "in-the-query",
    ] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn c42_a_client_that_has_the_answer_gets_a_304_and_never_after_a_change() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let path = service
        .create(&ada, "/widgets", json!({"name": "cog"}))
        .await;
    let etag = service
        .get(&path)
        .await
        .expect(200)
        .header("etag")
        .to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let conditional = async |tag: &str| {
        service
            .send(
                service
                    .api(Method::GET, &path, "")
                    .header("if-none-match", tag),
            )
            .await
    };
    for tag in [
        etag.as_str(),
        &format!("W/{etag}"),
        &format!("\"x\", {etag}"),
        "*",
    ] {
        let answer = conditional(tag).await.expect(304);
        assert!(answer.text.is_empty());
        assert_eq!(answer.header("etag"), etag);
        assert_eq!(answer.header("content-type"), "");
    }
    conditional("\"x\"").await.expect(200);
    service
        .patch(&ada, &path, json!({"name": "gear"}))
        .await
        .expect(200);
    let changed = conditional(&etag).await.expect(200);
    assert_ne!(changed.header("etag"), etag);
    service
        .patch(&ada, &path, json!({"name": "wheel"}))
        .await
        .expect(200);
    let current = service.get(&path).await.header("etag").to_owned();
    conditional(&current).await.expect(304);
}
