//! `/openapi.json`, `/docs` and `backend openapi`.
//!
//! Come here after changing how the description of the API is made.

use reqwest::Method;
use serde_json::Value;

use crate::support::service::{TestService, command};

fn printed() -> Value {
    // Neither settings nor servers are needed.
    let output = command(&[("CACHE_BACKEND", "nonsense")])
        .arg("openapi")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_served_document_is_the_printed_one() {
    let service = TestService::start().await;
    let served = service
        .send(service.request(Method::GET, "/openapi.json"))
        .await;
    let served = served.expect(200).json();
    assert_eq!(served, printed());
    assert_eq!(served["openapi"], "3.1.0");
}

#[test]
fn the_document_describes_the_contract_of_a_widget() {
    let document = printed();
    let widget = &document["paths"]["/api/v1/widgets/{widget_id}"];
    assert_eq!(
        widget["get"]["x-cache"],
        serde_json::json!({"key": "widget:{widget_id}", "expiration": 600, "groups": [], "audience": "shared"})
    );
    let ended = &widget["delete"]["x-cache"]["invalidates"];
    assert_eq!(ended["keys"][1], "widget_count:global");
    assert_eq!(ended["groups"][0], "user_{owner}_widgets");
    for status in ["200", "401", "403", "412", "422"] {
        assert!(
            widget["patch"]["responses"].get(status).is_some(),
            "{status}"
        );
    }
    let name = &document["components"]["schemas"]["WidgetCreate"]["properties"]["name"];
    assert_eq!(
        (&name["minLength"], &name["maxLength"]),
        (&1.into(), &100.into())
    );
}

#[tokio::test]
async fn the_page_is_compressed_has_a_tag_and_loads_nothing_from_elsewhere() {
    let service = TestService::start().await;
    let page = service
        .request(Method::GET, "/docs")
        .header("accept-encoding", "gzip");
    let page = service.send(page).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-encoding"), "gzip");
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let tag = page.header("etag").to_owned();
    let again = service
        .request(Method::GET, "/docs")
        .header("accept-encoding", "gzip")
        .header("if-none-match", tag);
    service.send(again).await.expect(304);
    let plain = service.send(service.request(Method::GET, "/docs/")).await;
    let text = plain.expect(200).text;
    assert!(
        !text.contains("http://") && !text.contains("https://"),
        "no address of another origin"
    );
    assert!(
        !text.contains("/* page."),
        "script and style stand in the page"
    );
}
