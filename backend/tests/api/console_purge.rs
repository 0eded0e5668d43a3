//! `/api/v1/cache/purge`, and the bad input of the console.
//!
//! Come here after changing what the console deletes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::console::{BACKENDS, cached_widget, on};
use crate::support::service::TestService;

#[tokio::test]
async fn a_purge_ends_groups_policies_and_patterns_and_says_what_is_not_supported() {
    for backend in BACKENDS {
        let service = on(backend).await;
        let admin = service.admin().await;
        let purge = async |what: Value| {
            let answer = service.post(&admin, "/cache/purge", what).await;
            answer.expect(200).json()
        };
        let is_hit = async |path: &str| {
            let answer = service.get(path).await.expect(200);
            answer.header("cache-status").contains("hit")
        };
        let (path, _) = cached_widget(&service, &admin).await;
        let list = "/users/admin/widgets";
        service.get(list).await.expect(200);
        assert!(is_hit(list).await);
        let purged = purge(json!({"groups": ["user_admin_widgets"]})).await;
        assert_eq!(purged["groups"], json!(["user_admin_widgets"]));
        assert!(!is_hit(list).await, "{backend}: the group has ended");
        assert!(is_hit(&path).await, "{backend}: nothing else has");
        let purged = purge(json!({"policies": ["widget:{widget_id}"]})).await;
        assert_eq!(
            purged["patterns"],
            json!(if backend == "memcached" {
                vec![]
            } else {
                vec!["widget:*"]
            })
        );
        assert_eq!(purged["everything"], backend == "memcached");
        assert!(!is_hit(&path).await, "{backend}: the policy has ended");
        let purged = purge(json!({"patterns": ["widget:*"]})).await;
        let unsupported = if backend == "memcached" {
            json!(["widget:*"])
        } else {
            json!([])
        };
        assert_eq!(purged["unsupported"], unsupported);
        assert_eq!(is_hit(&path).await, backend == "memcached");
    }
}

#[tokio::test]
async fn bad_input_is_refused_with_a_sentence() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    for (purge, field) in [
        (json!({}), ""),
        (json!({"key": ["widget:1"]}), "key"),
        (json!({"keys": ["~generation"]}), "keys"),
        (json!({"keys": ["white space"]}), "keys"),
        (json!({"policies": ["wigdet:{widget_id}"]}), "policies"),
        (json!({"groups": ["~x"]}), "groups[0]"),
        (json!({"keys": vec!["x"; 101]}), "keys"),
    ] {
        let refused = service.post(&admin, "/cache/purge", purge.clone()).await;
        let problem = refused.expect(422).json();
        assert_eq!(problem["errors"][0]["field"], field, "{purge}: {problem}");
    }
    for query in [
        "entries?prefix=a%00b",
        "events?key=a%00b",
        "entries?limit=0",
        "entries?limit=201",
        "entries?cursor=x",
        "events?key=",
        "events?page=0",
    ] {
        service
            .get_as(&admin, &format!("/cache/{query}"))
            .await
            .expect(422);
    }
    for key in ["~generation", "white%20space", "nothing", "%FF"] {
        service
            .get_as(&admin, &format!("/cache/entries/{key}"))
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn the_page_runs_its_own_script_alone_and_loads_nothing() {
    let service = TestService::start().await;
    let page = service.send(service.request(Method::GET, "/cache")).await;
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let text = page.expect(200).text;
    assert!(
        !text.contains("/* page."),
        "script and style stand in the page"
    );
    assert!(
        !text.contains("innerHTML"),
        "a text of the API would become markup"
    );
    assert!(!text.contains("https://"), "no address of another origin");
}

#[tokio::test]
async fn the_management_port_serves_the_console_with_its_sign_in_and_no_other_route_of_the_api() {
    let settings = [("ENVIRONMENT", "production"), ("MANAGEMENT_PORT", "0")];
    let service = TestService::start_with(&settings).await;
    let admin = service.admin().await;
    let management = crate::management::management(&service);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = |path: &str| format!("http://{management}/api/v1{path}");
    let public = format!("http://{}/api/v1/cache/stats", service.address());
    let public = client.get(public).bearer_auth(&admin).send().await;
    assert_eq!(public.unwrap().status(), 404);
    let stats = client.get(url("/cache/stats")).bearer_auth(&admin);
    assert_eq!(stats.send().await.unwrap().status(), 200);
    let login = json!({"username": "admin", "password": "wrong"});
    let refused = client.post(url("/auth/login")).json(&login).send().await;
    assert_eq!(refused.unwrap().status(), 401);
    let users = client.post(url("/users")).json(&login).send().await;
    assert_eq!(users.unwrap().status(), 404);
}
