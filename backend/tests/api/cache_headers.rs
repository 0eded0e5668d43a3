//! The visible effects of the cache: `Cache-Control`, `Cache-Status` and the access log.
//!
//! Come here for the headers of the template's routes; keys and invalidations are in `caching`.

use serde_json::json;

use crate::support::eventually;
use crate::support::service::{PASSWORD, TestService};

#[tokio::test]
async fn c52_no_other_cache_keeps_the_answers_of_a_caller() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let admin = service.admin().await;
    let id = service.new_widget(&ada, "cog").await;
    let widget = format!("/widgets/{id}");
    for (token, path, wanted) in [
        ("", widget.as_str(), "no-cache"),
        (ada.as_str(), widget.as_str(), "no-cache"),
        (ada.as_str(), "/users/me", "private, no-cache"),
        (admin.as_str(), "/users", "no-store"),
        (ada.as_str(), "/users", "no-store"),
        (ada.as_str(), "/auth/sessions", "no-store"),
        ("wrong", "/users/me", "no-store"),
        (ada.as_str(), "/nowhere", "no-store"),
        ("", "/nowhere", ""),
    ] {
        // A miss and a hit, where there are any.
        for _ in 0..2 {
            let answer = service.get_as(token, path).await;
            assert_eq!(answer.header("cache-control"), wanted, "{path}: {answer:?}");
        }
    }
    let login = json!({"username": "ada", "password": PASSWORD});
    let answer = service.post("", "/auth/login", login).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let changed = service.patch(&ada, &widget, json!({"name": "rod"})).await;
    assert_eq!(changed.expect(200).header("cache-control"), "no-store");
}

#[tokio::test]
async fn c32_the_access_log_names_the_invalidated_keys_in_production_too() {
    let service = TestService::start_with(&[("ENVIRONMENT", "production")]).await;
    let ada = service.new_user("ada").await;
    let path = format!("/widgets/{}", service.new_widget(&ada, "cog").await);
    let answer = service.patch(&ada, &path, json!({"name": "rod"})).await;
    assert_eq!(answer.header("cache-status"), "backend; fwd=method");
    let wanted = format!(
        "invalidated=3; keys=\"{}\"; groups=\"user_ada_widgets widget_search\"",
        path[1..].replacen("s/", ":", 1)
    );
    eventually("the access log names the effect", async || {
        service
            .log()
            .iter()
            .any(|line| line["method"] == "PATCH" && line["cache_effect"] == wanted)
    })
    .await;
}
