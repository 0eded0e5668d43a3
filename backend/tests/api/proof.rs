//! The proof of the test client (C49): it finds a stale answer, and reports none otherwise.
//!
//! Come here after changing `support/proof.rs`.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use serde_json::json;

use crate::support::service::TestService;

/// Stores the answer of a widget, and makes it old behind the service. Returns the widget's path, and the owner's token.
async fn change_behind_the_service(service: &TestService) -> (String, String) {
    let ada = service.new_user("ada").await;
    let path = format!("/widgets/{}", service.new_widget(&ada, "first").await);
    service.get_as(&ada, &path).await.expect(200);
    let rename = "UPDATE widgets SET name = 'changed'";
    service.database.change_unrecorded(rename).await;
    (path, ada)
}

/// The same, followed by a write that ends another widget's entries.
async fn write_something_else(service: &TestService) {
    let (_, ada) = change_behind_the_service(service).await;
    let other = service.new_widget(&ada, "second").await;
    let change = json!({"description": "another widget"});
    let path = format!("/widgets/{other}");
    service.patch(&ada, &path, change).await.expect(200);
}

/// The message with which the test failed.
async fn failure(test: impl Future<Output = ()>) -> String {
    let failed = AssertUnwindSafe(test).catch_unwind().await;
    let payload = failed.expect_err("the proof found nothing");
    let message = payload.downcast_ref::<String>();
    message.expect("a message").clone()
}

#[tokio::test]
async fn c49_an_answer_that_is_stale_after_a_write_fails_the_test() {
    let service = TestService::start().await;
    let message = failure(write_something_else(&service)).await;
    for part in [
        "stale after POST /api/v1/widgets",
        "GET /api/v1/widgets/1 for ada (key widget:1)",
        "from the cache:    200 {\"id\":1,\"owner\":\"ada\",\"name\":\"first\"",
        "from the database: 200 {\"id\":1,\"owner\":\"ada\",\"name\":\"changed\"",
        "the policy of the write does not end this key",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[tokio::test]
async fn c49_a_hit_that_is_stale_fails_the_test() {
    let service = TestService::start().await;
    let read_again = async {
        let (path, _) = change_behind_the_service(&service).await;
        service.get(&path).await;
    };
    let message = failure(read_again).await;
    for part in [
        "stale hit: GET /api/v1/widgets/1 for an anonymous caller (key widget:1)",
        "from the cache:    200 {\"id\":1,\"owner\":\"ada\",\"name\":\"first\"",
        "from the database: 200 {\"id\":1,\"owner\":\"ada\",\"name\":\"changed\"",
        "the newest write of the test is POST /api/v1/widgets",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[tokio::test]
async fn c49_a_message_shows_the_beginning_of_a_long_body() {
    let service = TestService::start().await;
    let read_again = async {
        let ada = service.new_user("ada").await;
        let long = json!({"name": "long", "description": "d".repeat(2000)});
        service.post(&ada, "/widgets", long).await.expect(201);
        service.get("/widgets/1").await;
        let rename = "UPDATE widgets SET name = 'changed'";
        service.database.change_unrecorded(rename).await;
        service.get("/widgets/1").await;
    };
    let message = failure(read_again).await;
    assert!(
        message.contains("ddd…") && message.len() < 2000,
        "{message}"
    );
}

#[tokio::test]
async fn c49_a_test_that_wants_a_stale_answer_says_so() {
    write_something_else(&TestService::start().await.without_proof()).await;
}
