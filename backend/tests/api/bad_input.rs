//! Bad input: every mistake gets the error of the contract, none a 500, a panic or a hang.
//!
//! Come here for a mistake of a client that one can name. Random bytes are in `random_input`.

use reqwest::Method;
use serde_json::json;

use crate::support::database::TestDatabase;
use crate::support::proxy::{Mode, Proxy};
use crate::support::service::{Service, TestService};
use crate::support::{eventually, unique};

#[tokio::test]
async fn every_error_is_a_problem_with_the_id_of_its_request() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let id = service.new_widget(&ada, "cog").await;
    let bob = service.new_user("bob").await;
    let errors = [
        service.get("/widgets/x").await.expect(400),
        service.get("/users/me").await.expect(401),
        service
            .delete(&bob, &format!("/widgets/{id}"))
            .await
            .expect(403),
        service.get("/widgets/0").await.expect(404),
        service.get("/no/such/route").await.expect(404),
        service
            .send(service.request(Method::GET, "/nothing"))
            .await
            .expect(404),
        service.delete("", "/widgets").await.expect(405),
        service.sign_up("ada").await.expect(409),
        service
            .send(service.api(Method::POST, "/users", "").body("{}"))
            .await
            .expect(415),
        service.get("/widgets?page=0").await.expect(422),
    ];
    for answer in errors {
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["status"], answer.status);
        assert_eq!(problem["request_id"], answer.header("x-request-id"));
        assert_eq!(problem["type"], "about:blank");
        for field in ["title", "detail"] {
            assert!(!problem[field].as_str().unwrap().is_empty(), "{problem}");
        }
        assert_eq!(
            problem.get("errors").is_some(),
            answer.status == 422,
            "{problem}"
        );
    }
}

#[tokio::test]
async fn an_invalid_body_is_400_one_of_another_type_415_and_a_large_one_413() {
    let service = TestService::start().await;
    let send = async |content_type: &str, body: Vec<u8>| {
        let request = service
            .api(Method::POST, "/users", "")
            .header("content-type", content_type);
        service.send(request.body(body)).await
    };
    let json = "application/json";
    for malformed in [
        "",
        " ",
        "{",
        "{\"username\":",
        "nonsense",
        "{} {}",
        "[1,]",
        "\u{feff}{}",
        "{\"username\":\"\\ud800\"}",
    ] {
        send(json, malformed.into()).await.expect(400);
    }
    send(json, b"{\"name\": \"\xff\"}".to_vec())
        .await
        .expect(400);
    send(json, vec![b'['; 200_000]).await.expect(400);
    for other in ["[]", "7", "null", "\"text\"", "{}"] {
        send(json, other.into()).await.expect(422);
    }
    for wrong in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "json",
    ] {
        send(wrong, b"{}".to_vec()).await.expect(415);
    }
    send("application/json; charset=utf-8", b"{}".to_vec())
        .await
        .expect(422);
    send("Application/JSON", b"{}".to_vec()).await.expect(422);
    send(json, vec![b' '; 256 * 1024]).await.expect(400);
    send(json, vec![b' '; 256 * 1024 + 1]).await.expect(413);
    // Without a `Content-Length`.
    let chunks =
        futures_util::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b' '; 10_000])));
    let request = service
        .api(Method::POST, "/users", "")
        .header("content-type", json);
    service
        .send(request.body(reqwest::Body::wrap_stream(chunks)))
        .await
        .expect(413);
}

#[tokio::test]
async fn another_method_is_405_with_the_allowed_ones() {
    let service = TestService::start().await;
    let allowed = [
        ("/api/v1/users", "GET, HEAD, POST"),
        ("/api/v1/users/me", "GET, HEAD"),
        ("/api/v1/users/ada", "GET, HEAD, PATCH, DELETE"),
        ("/api/v1/users/ada/widgets", "GET, HEAD"),
        ("/api/v1/widgets", "GET, HEAD, POST"),
        ("/api/v1/widgets/1", "GET, HEAD, PATCH, DELETE"),
        ("/api/v1/widgets/count", "GET, HEAD"),
        ("/api/v1/auth/login", "POST"),
        ("/api/v1/auth/logout", "POST"),
        ("/api/v1/auth/logout-all", "POST"),
        ("/api/v1/auth/sessions", "GET, HEAD"),
        ("/api/v1/auth/sessions/1", "DELETE"),
        ("/health", "GET, HEAD"),
        ("/health/ready", "GET, HEAD"),
    ];
    for (path, methods) in allowed {
        let answer = service
            .send(service.request(Method::PUT, path))
            .await
            .expect(405);
        assert_eq!(answer.header("allow"), methods, "{path}");
        for method in [
            Method::GET,
            Method::POST,
            Method::PATCH,
            Method::DELETE,
            Method::HEAD,
        ] {
            let answer = service.send(service.request(method.clone(), path)).await;
            let is_allowed = methods
                .split(", ")
                .any(|allowed| allowed == method.as_str());
            assert_eq!(answer.status != 405, is_allowed, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_trailing_slash_is_accepted_everywhere() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let id = service.new_widget(&ada, "cog").await;
    let paths = [
        "/widgets",
        "/users/me",
        "/users/ada",
        "/users/ada/widgets",
        "/widgets/count",
        &format!("/widgets/{id}"),
    ];
    for path in paths {
        let plain = service.get_as(&ada, path).await.expect(200);
        let slash = service.get_as(&ada, &format!("{path}/")).await.expect(200);
        assert_eq!(plain.text, slash.text, "{path}");
    }
    service.get("/widgets/?q=cog").await.expect(200);
    service
        .send(service.request(Method::GET, "/health/"))
        .await
        .expect(200);
    service
        .post(&ada, "/widgets/", json!({"name": "rod"}))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_valid_request_id_is_kept_and_an_invalid_one_replaced() {
    let service = TestService::start().await;
    let send = async |id: &[u8]| {
        let value = reqwest::header::HeaderValue::from_bytes(id).unwrap();
        let answer = service
            .send(
                service
                    .api(Method::GET, "/widgets/0", "")
                    .header("x-request-id", value),
            )
            .await;
        answer.header("x-request-id").to_owned()
    };
    let longest = "x".repeat(128);
    for kept in ["a", "A-b_c.9", longest.as_str()] {
        assert_eq!(send(kept.as_bytes()).await, kept);
    }
    let mut drawn = Vec::new();
    for replaced in ["", "a b", "a/b", "ä", "x\"y", &"x".repeat(129)] {
        let id = send(replaced.as_bytes()).await;
        assert!(id != replaced && !id.is_empty(), "{replaced}");
        drawn.push(id);
    }
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len(), 6, "ids are unique");
}

#[tokio::test]
async fn head_is_answered_wherever_get_is() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let id = service.new_widget(&ada, "cog").await;
    let admin = service.admin().await;
    let paths = [
        "/api/v1/users".to_owned(),
        "/api/v1/users/me".to_owned(),
        "/api/v1/users/ada".to_owned(),
        "/api/v1/users/ada/widgets".to_owned(),
        "/api/v1/widgets".to_owned(),
        "/api/v1/widgets/count".to_owned(),
        format!("/api/v1/widgets/{id}"),
        "/health".to_owned(),
        "/health/ready".to_owned(),
    ];
    for path in paths {
        let head = service
            .send(service.request(Method::HEAD, &path).bearer_auth(&admin))
            .await
            .expect(200);
        let get = service
            .send(service.request(Method::GET, &path).bearer_auth(&admin))
            .await
            .expect(200);
        assert!(head.text.is_empty(), "{path}");
        assert_eq!(
            head.header("content-length"),
            get.header("content-length"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn without_the_database_requests_that_need_it_are_503_until_it_is_available() {
    let database = TestDatabase::create().await;
    let url = reqwest::Url::parse(&database.url()).unwrap();
    let proxy = Proxy::start(url.port().unwrap()).await;
    let namespace = unique("test");
    let environment = [
        ("CACHE_NAMESPACE", namespace.as_str()),
        ("DATABASE_CONNECT_TIMEOUT", "1"),
    ];
    let service = Service::start(&database.url_through(Some(proxy.port)), &environment).await;
    let ada = service.new_user("ada").await;
    let cached = format!("/widgets/{}", service.new_widget(&ada, "cog").await);
    service.get(&cached).await.expect(200);
    proxy.set(Mode::Refuse);
    eventually("the database is found unavailable", async || {
        let answer = service
            .send(service.request(Method::GET, "/health/ready"))
            .await;
        answer.status == 503
    })
    .await;
    for _ in 0..2 {
        let answer = service.get("/users/ada").await.expect(503);
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    service
        .post(&ada, "/widgets", json!({"name": "rod"}))
        .await
        .expect(503);
    service.get_as(&ada, "/users/me").await.expect(503);
    let not_ready = service
        .send(service.request(Method::GET, "/health/ready"))
        .await
        .expect(503)
        .json();
    assert_eq!(
        not_ready,
        json!({"status": "not ready", "checks": {"database": "down", "cache": "up"}})
    );
    service
        .send(service.request(Method::GET, "/health"))
        .await
        .expect(200);
    assert!(
        service.get(&cached).await.expect(200).is_hit(),
        "what is cached is still answered"
    );
    proxy.set(Mode::Pass);
    eventually("the database is found again", async || {
        service.get("/users/ada").await.status == 200
    })
    .await;
    let ready = service
        .send(service.request(Method::GET, "/health/ready"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        ready,
        json!({"status": "ready", "checks": {"database": "up", "cache": "up"}})
    );
}
