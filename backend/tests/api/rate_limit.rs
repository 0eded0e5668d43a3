//! The limit of requests (`RATE_LIMIT`), by caller and by address.
//!
//! Come here for a request that counts wrongly. The test is a trusted proxy, so each client has the address that the test
//! writes.

use reqwest::Method;

use crate::support::answer::Answer;
use crate::support::service::{PASSWORD, TestService};

const PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.0/8");

async fn get_from(service: &TestService, address: &str, token: &str, path: &str) -> Answer {
    let request = service
        .api(Method::GET, path, token)
        .header("x-forwarded-for", address);
    service.send(request).await
}

fn expect_limited(answer: &Answer, name: &str) {
    assert_eq!(answer.status, 429, "{answer:#?}");
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=86_400).contains(&seconds), "{seconds}");
    assert_eq!(
        answer.header("ratelimit"),
        format!("\"{name}\";r=0;t={seconds}")
    );
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], 429);
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn an_address_is_refused_after_its_requests_whatever_they_ask_for_and_others_are_not() {
    let service = TestService::start_with(&[PROXY, ("RATE_LIMIT", "5/day")])
        .await
        .without_proof();
    let paths = [
        "/widgets",
        "/widgets/count",
        "/nothing",
        "/users/me",
        "/widgets/0",
    ];
    for (path, remaining) in paths.iter().zip([4, 3, 2, 1, 0]) {
        let answer = get_from(&service, "192.0.2.1", "", path).await;
        assert_ne!(answer.status, 429, "{answer:#?}");
        // The fields are there from half of the limit on.
        let expected = if remaining > 2 {
            (String::new(), "")
        } else {
            (
                format!("\"address\";r={remaining};t=17280"),
                "\"address\";q=5;w=86400",
            )
        };
        assert_eq!(answer.header("ratelimit"), expected.0);
        assert_eq!(answer.header("ratelimit-policy"), expected.1);
    }
    for path in paths {
        expect_limited(&get_from(&service, "192.0.2.1", "", path).await, "address");
    }
    get_from(&service, "192.0.2.2", "", "/widgets")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_network_of_version_6_is_one_address() {
    let service = TestService::start_with(&[PROXY, ("RATE_LIMIT", "2/day")])
        .await
        .without_proof();
    for address in ["2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6"] {
        get_from(&service, address, "", "/widgets")
            .await
            .expect(200);
    }
    expect_limited(
        &get_from(&service, "2001:db8:1:2:ffff::", "", "/widgets").await,
        "address",
    );
    get_from(&service, "2001:db8:1:3::1", "", "/widgets")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_caller_has_a_limit_of_its_own_on_every_route_and_at_every_address() {
    let service = TestService::start_with(&[PROXY, ("RATE_LIMIT", "6/day")])
        .await
        .without_proof();
    let ada = service.new_user("ada").await;
    let again = service.sign_in("ada", PASSWORD).await;
    let bob = service.new_user("bob").await;
    // The address that they signed in from has used up its requests by now or will.
    while service.get("/widgets").await.status != 429 {}
    for number in 0..6 {
        let address = format!("192.0.2.{number}");
        let (token, path) = if number % 2 == 0 {
            (&ada, "/users/me")
        } else {
            (&again, "/widgets")
        };
        let answer = get_from(&service, &address, token, path).await.expect(200);
        if number > 2 {
            assert_eq!(answer.header("ratelimit-policy"), "\"caller\";q=6;w=86400");
        }
    }
    for path in ["/users/me", "/widgets", "/nothing"] {
        expect_limited(&get_from(&service, "192.0.2.9", &ada, path).await, "caller");
    }
    service.get_as(&bob, "/users/me").await.expect(200);
    // Without a token it is the address that counts.
    get_from(&service, "192.0.2.9", "", "/widgets")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_request_with_an_invalid_token_counts_for_its_address() {
    let service = TestService::start_with(&[("RATE_LIMIT", "3/day")])
        .await
        .without_proof();
    for number in 0..3 {
        let token = format!("{number:064x}");
        service.get_as(&token, "/users/me").await.expect(401);
    }
    expect_limited(&service.get_as("other", "/widgets").await, "address");
}

#[tokio::test]
async fn health_is_never_refused_and_never_counted() {
    let service = TestService::start_with(&[("RATE_LIMIT", "2/day")])
        .await
        .without_proof();
    for path in ["/health", "/health/", "/health/ready"] {
        for _ in 0..5 {
            let request = service.request(Method::GET, path);
            let answer = service.send(request).await.expect(200);
            assert_eq!(answer.header("ratelimit"), "");
        }
    }
    service.get("/widgets").await.expect(200);
    service.get("/widgets").await.expect(200);
    expect_limited(&service.get("/widgets").await, "address");
    service
        .send(service.request(Method::GET, "/health"))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_hit_of_the_cache_counts_and_has_the_header_fields_of_its_own_client() {
    let service = TestService::start_with(&[PROXY, ("RATE_LIMIT", "3/day")])
        .await
        .without_proof();
    for (address, is_hit, fields) in [
        ("192.0.2.1", false, ""),
        ("192.0.2.1", true, "\"address\";r=1;t=28800"),
        ("192.0.2.2", true, ""),
        ("192.0.2.1", true, "\"address\";r=0;t=28800"),
    ] {
        let answer = get_from(&service, address, "", "/widgets/count")
            .await
            .expect(200);
        assert_eq!(answer.is_hit(), is_hit);
        assert_eq!(answer.header("ratelimit"), fields);
    }
    for (address, status) in [("192.0.2.1", 429), ("192.0.2.2", 200)] {
        get_from(&service, address, "", "/widgets/count")
            .await
            .expect(status);
    }
}

#[tokio::test]
async fn without_the_setting_there_is_no_limit() {
    let service = TestService::start().await;
    for _ in 0..200 {
        let answer = service.get("/widgets/count").await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), "");
    }
}
