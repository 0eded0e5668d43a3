//! The headers that protect browsers, and the pages of other origins (`HSTS`, `CORS_ALLOWED_ORIGINS`).
//!
//! Come here after changing a header that only browsers read.

use reqwest::Method;
use serde_json::json;

use crate::support::answer::Answer;
use crate::support::service::{PASSWORD, TestService};

const PAGE: &str = "https://app.example.com";

fn expect_protected(answer: &Answer) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_protect_browsers() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let answers = [
        service.get("/widgets/count").await.expect(200),
        service.get("/widgets/count").await.expect(200),
        service.get("/nothing").await.expect(404),
        service.get("/users/me").await.expect(401),
        service.delete("", "/widgets").await.expect(405),
        service.sign_up("bob").await.expect(201),
        service.delete(&ada, "/users/ada").await.expect(204),
        service.send(service.request(Method::GET, "/health")).await,
    ];
    assert!(answers[1].is_hit());
    let etag = answers[1].header("etag");
    let conditional = service
        .api(Method::GET, "/widgets/count", "")
        .header("if-none-match", etag);
    for answer in answers
        .iter()
        .chain([&service.send(conditional).await.expect(304)])
    {
        expect_protected(answer);
        assert_eq!(answer.header("strict-transport-security"), "");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn browsers_are_told_to_come_by_tls_where_they_did() {
    for (environment, header, expected) in [
        (
            ("TRUSTED_PROXIES", "127.0.0.1"),
            ("x-forwarded-proto", "https"),
            true,
        ),
        (
            ("TRUSTED_PROXIES", "127.0.0.1"),
            ("forwarded", "for=192.0.2.1;proto=https"),
            true,
        ),
        (
            ("TRUSTED_PROXIES", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
            false,
        ),
        (("HSTS", "auto"), ("x-forwarded-proto", "https"), false),
        (("HSTS", "never"), ("x-forwarded-proto", "https"), false),
        (("HSTS", "always"), ("accept", "*/*"), true),
    ] {
        let service = TestService::start_with(&[environment]).await;
        for path in ["/widgets/count", "/widgets/count", "/nothing"] {
            let request = service
                .api(Method::GET, path, "")
                .header(header.0, header.1);
            let answer = service.send(request).await;
            let header_value = if expected { "max-age=31536000" } else { "" };
            assert_eq!(
                answer.header("strict-transport-security"),
                header_value,
                "{environment:?}"
            );
        }
    }
}

/// A preflight: a browser asks before it sends what a form could not.
async fn preflight(service: &TestService, origin: &str, path: &str, headers: &str) -> Answer {
    let request = service
        .api(Method::OPTIONS, path, "")
        .header("origin", origin)
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", headers);
    service.send(request).await
}

fn list(answer: &Answer, name: &str) -> Vec<String> {
    answer
        .header(name)
        .split(',')
        .map(|item| item.trim().to_lowercase())
        .collect()
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_asks_first_without_a_token_and_then_reads_the_answer() {
    let origins = format!("{PAGE}, http://localhost:5173");
    let service = TestService::start_with(&[("CORS_ALLOWED_ORIGINS", &origins)]).await;
    let wanted = "authorization, content-type, if-match, x-request-id";
    for origin in [PAGE, "http://localhost:5173"] {
        let answer = preflight(&service, origin, "/users/me", wanted)
            .await
            .expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert!(list(&answer, "access-control-allow-methods").contains(&"patch".to_owned()));
        let allowed = list(&answer, "access-control-allow-headers");
        for header in wanted.split(", ") {
            assert!(allowed.contains(&header.to_owned()), "{allowed:?}");
        }
        expect_protected(&answer);
        assert!(!answer.header("x-request-id").is_empty());
    }
    let ada = service.new_user("ada").await;
    for (token, path, status) in [
        (&*ada, "/users/me", 200),
        ("", "/widgets/count", 200),
        ("", "/widgets/count", 200),
        ("", "/users/me", 401),
    ] {
        let request = service.api(Method::GET, path, token).header("origin", PAGE);
        let answer = service.send(request).await.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert!(
            list(&answer, "vary").contains(&"origin".to_owned()),
            "{answer:#?}"
        );
        let exposed = list(&answer, "access-control-expose-headers");
        for header in [
            "etag",
            "x-request-id",
            "cache-status",
            "ratelimit",
            "ratelimit-policy",
            "retry-after",
            "location",
        ] {
            assert!(exposed.contains(&header.to_owned()), "{exposed:?}");
        }
    }
}

#[tokio::test]
async fn a_page_of_another_origin_reads_nothing_and_its_preflight_is_refused() {
    for origins in [PAGE, ""] {
        let service = TestService::start_with(&[("CORS_ALLOWED_ORIGINS", origins)]).await;
        for other in [
            "https://evil.example",
            "null",
            "https://app.example.com.evil.example",
        ] {
            let answer = preflight(&service, other, "/users/me", "authorization").await;
            assert!(answer.status >= 400, "{answer:#?}");
            assert_eq!(answer.header("access-control-allow-origin"), "");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            let request = service
                .api(Method::GET, "/widgets/count", "")
                .header("origin", other);
            let answer = service.send(request).await.expect(200);
            assert_eq!(answer.header("access-control-allow-origin"), "");
        }
    }
}

#[tokio::test]
async fn all_origins_are_allowed_by_a_star_and_never_with_credentials() {
    let service = TestService::start_with(&[("CORS_ALLOWED_ORIGINS", "*")]).await;
    let preflight = preflight(&service, PAGE, "/users/me", "authorization")
        .await
        .expect(200);
    let request = service
        .api(Method::GET, "/widgets/count", "")
        .header("origin", PAGE);
    for answer in [preflight, service.send(request).await.expect(200)] {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn a_page_reads_that_it_asked_too_often_and_its_preflights_do_not_count() {
    let environment = [("CORS_ALLOWED_ORIGINS", PAGE), ("RATE_LIMIT", "2/day")];
    let service = TestService::start_with(&environment).await.without_proof();
    for _ in 0..5 {
        preflight(&service, PAGE, "/users/me", "authorization")
            .await
            .expect(200);
    }
    let body = json!({"username": "admin", "password": PASSWORD});
    let statuses = [200, 200, 429];
    for status in statuses {
        let request = service
            .api(Method::POST, "/auth/login", "")
            .header("origin", PAGE)
            .json(&body);
        let answer = service.send(request).await.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        assert!(!answer.header("ratelimit").is_empty());
    }
}
