//! `MANAGEMENT_PORT`: which port serves the routes for operators, and how long.
//!
//! Come here after adding a route for operators.

use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::starting::{errors, run};
use crate::support::database::TestDatabase;
use crate::support::eventually;
use crate::support::service::TestService;

const FOR_OPERATORS: &[&str] = &["/cache", "/docs", "/openapi.json", "/metrics"];
const HEALTH: &[&str] = &["/health", "/health/ready"];

fn line(service: &TestService, message: &str) -> Option<Value> {
    let mut lines = service.log().into_iter();
    lines.find(|line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.starts_with(message))
    })
}

/// The host and the port for operators, from the log.
pub fn management(service: &TestService) -> String {
    let line = line(service, "listening for management").expect("the line of the log");
    line["address"].as_str().expect("an address").to_owned()
}

async fn get(address: &str, path: &str) -> Response {
    let client = Client::builder().no_proxy().build().unwrap();
    let request = client.get(format!("http://{address}{path}"));
    request.send().await.unwrap()
}

async fn assert_statuses(address: &str, paths: &[&str], status: u16) {
    for path in paths {
        assert_eq!(get(address, path).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn without_a_management_port_development_serves_the_routes_for_operators_on_the_only_one() {
    let service = TestService::start().await;
    assert_statuses(service.address(), FOR_OPERATORS, 200).await;
    assert_eq!(line(&service, "listening for management"), None);
    assert_eq!(line(&service, "MANAGEMENT_PORT"), None);
}

#[tokio::test]
async fn without_a_management_port_production_serves_the_routes_for_operators_nowhere_and_says_so()
{
    let service = TestService::start_with(&[("ENVIRONMENT", "production")]).await;
    assert_statuses(service.address(), FOR_OPERATORS, 404).await;
    assert_statuses(service.address(), HEALTH, 200).await;
    assert_eq!(line(&service, "listening for management"), None);
    let said = line(&service, "MANAGEMENT_PORT is not set").expect("a line");
    assert_eq!(said["level"], "INFO");
}

#[tokio::test]
async fn the_routes_for_operators_move_to_the_management_port_in_every_environment() {
    for environment in ["development", "production"] {
        let settings = [("ENVIRONMENT", environment), ("MANAGEMENT_PORT", "0")];
        let service = TestService::start_with(&settings).await;
        let management = management(&service);
        assert_statuses(service.address(), FOR_OPERATORS, 404).await;
        assert_statuses(service.address(), HEALTH, 200).await;
        assert_statuses(&management, FOR_OPERATORS, 200).await;
        assert_statuses(&management, HEALTH, 200).await;
        let widgets = get(&management, "/api/v1/widgets").await;
        assert_eq!(widgets.status(), 404, "the API is not served there");
        service.get("/widgets").await.expect(200);
        assert_eq!(line(&service, "MANAGEMENT_PORT is not set"), None);
    }
}

#[tokio::test]
async fn the_conventions_hold_on_the_management_port_and_its_requests_are_not_limited() {
    let settings = [("MANAGEMENT_PORT", "0"), ("RATE_LIMIT", "1/day")];
    let service = TestService::start_with(&settings).await;
    let management = management(&service);
    for _ in 0..3 {
        let page = get(&management, "/docs/").await;
        assert_eq!(page.status(), 200, "a slash at the end, and no limit");
        assert!(page.headers().contains_key("content-security-policy"));
    }
    let answer = get(&management, "/nothing").await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert!(answer.headers().contains_key("x-request-id"));
}

#[tokio::test]
async fn readiness_is_503_on_both_ports_before_the_end_and_both_are_closed_at_it() {
    let settings = [("MANAGEMENT_PORT", "0"), ("SERVER_SHUTDOWN_DELAY", "30")];
    let mut service = TestService::start_with(&settings).await;
    let management = management(&service);
    // A connection that stays open without a request is no reason to wait.
    let idle = TcpStream::connect(&management).await.unwrap();
    service.signal("TERM");
    eventually("readiness is 503 for operators", async || {
        get(&management, "/health/ready").await.status() == 503
    })
    .await;
    let ready = service.request(Method::GET, "/health/ready");
    assert_eq!(service.send(ready).await.status, 503);
    assert_statuses(&management, FOR_OPERATORS, 200).await;
    // Another signal ends the delay.
    service.signal("TERM");
    assert_eq!(service.service.wait().await.code(), Some(0));
    for address in [service.address(), &management] {
        assert!(TcpStream::connect(address).await.is_err(), "{address}");
    }
    drop(idle);
}

#[test]
fn the_port_of_the_api_is_refused_with_a_sentence() {
    for (name, settings) in [
        ("SERVER_PORT", &[("MANAGEMENT_PORT", "8000")][..]),
        (
            "SERVER_PORT",
            &[("SERVER_PORT", "9000"), ("MANAGEMENT_PORT", "9000")],
        ),
        ("PORT", &[("PORT", "9000"), ("MANAGEMENT_PORT", "9000")]),
    ] {
        let lines = errors(&run(settings, &["serve"], ""));
        assert_eq!(lines.len(), 1, "{lines:#?}");
        let sentence = format!("which is the port of {name}; it may hold another port");
        assert!(
            lines[0].starts_with("MANAGEMENT_PORT holds `") && lines[0].ends_with(&sentence),
            "{lines:#?}"
        );
    }
}

#[tokio::test]
async fn a_management_port_that_is_taken_stops_the_start_with_a_sentence() {
    let database = TestDatabase::create().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let settings = [
        ("DATABASE_URL", database.url()),
        ("SERVER_PORT", "0".to_owned()),
        ("MANAGEMENT_PORT", port),
        ("CACHE_ENABLED", "false".to_owned()),
        ("LOG_LEVEL", "off".to_owned()),
    ];
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let lines = errors(&run(&settings, &[], ""));
    assert!(
        lines[0].contains("SERVER_HOST and MANAGEMENT_PORT choose another"),
        "{lines:#?}"
    );
}
