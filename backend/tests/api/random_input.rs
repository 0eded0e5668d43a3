//! Random bytes at every route of the description of the API, and at paths that are none.
//!
//! Come here when a request of this test is answered with a 500: it is printed, and becomes a test in `bad_input`.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::service::TestService;

/// The segments of each path; one that begins with a brace is a parameter.
fn routes() -> Vec<Vec<String>> {
    let document = backend::interfaces::openapi_document();
    let described = document["paths"].as_object().expect("paths").keys();
    let others = ["/api/v1/{other}", "/api/v1/../{other}"].map(str::to_owned);
    let all = described.cloned().chain(others);
    all.map(|path| path.split('/').map(str::to_owned).collect())
        .collect()
}

/// Requests of every method to every route, mostly with invalid values and bytes.
fn requests() -> impl Strategy<Value = (Method, String, Vec<u8>, Vec<u8>, Vec<u8>)> {
    let method = prop::sample::select(vec![
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
    ]);
    let segment = prop_oneof![
        Just("1".to_owned()),
        Just("ada".to_owned()),
        "[%0-9a-f~.+-]{0,12}",
        Just("%00".to_owned()),
        Just("%ff%fe".to_owned()),
        Just("%".to_owned()),
        Just("-9223372036854775809".to_owned()),
        Just("..".to_owned()),
    ];
    let route = prop::sample::select(routes());
    let query = prop_oneof![
        Just(String::new()),
        "\\?[a-z%&=0-9+]{0,30}",
        "\\?(q|page|items_per_page)=[%0-9a-f-]{0,20}"
    ];
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "\\PC{0,100}".prop_map(String::into_bytes),
        "\\{\"(name|username|email|password|description)\":(null|1|\"[a-z%_\\\\]{0,20}|\\[\\]|\\{\\}|true)[\\},]?"
            .prop_map(String::into_bytes),
    ];
    let header = prop::collection::vec(
        prop::num::u8::ANY.prop_filter("no line ends", |byte| *byte >= 32 && *byte != 127),
        0..40,
    );
    let content_type = prop_oneof![3 => Just(b"application/json".to_vec()), 1 => header.clone()];
    (method, route, segment, query, body, content_type, header).prop_map(
        |(method, route, segment, query, body, content_type, header)| {
            let filled = route.iter().map(|part| {
                let is_parameter = part.starts_with('{');
                if is_parameter { segment.as_str() } else { part }
            });
            let path = format!("{}{query}", filled.collect::<Vec<_>>().join("/"));
            (
                Method::from_bytes(method.as_bytes()).expect("a method"),
                path,
                body,
                content_type,
                header,
            )
        },
    )
}

#[tokio::test]
async fn random_bytes_at_every_route_give_no_500_and_no_panic_and_errors_are_problems_with_an_id() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let mut runner = TestRunner::deterministic();
    let strategy = requests();
    for round in 0..1500 {
        let (method, path, body, content_type, header) =
            strategy.new_tree(&mut runner).expect("a request").current();
        // On a plain connection: a client library would refuse to send most of this.
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        )
        .into_bytes();
        let authorization = if round % 2 == 0 {
            format!("Bearer {ada}").into_bytes()
        } else {
            header.clone()
        };
        for (name, value) in [
            ("content-type", &content_type),
            ("authorization", &authorization),
            ("if-none-match", &header),
            ("cookie", &header),
            ("x-request-id", &header),
        ] {
            request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        request.extend(b"\r\n");
        request.extend(&body);
        let mut connection = TcpStream::connect(service.address())
            .await
            .expect("a connection");
        connection.write_all(&request).await.expect("a request");
        let mut answer = Vec::new();
        let reading = connection.read_to_end(&mut answer);
        tokio::time::timeout(std::time::Duration::from_secs(10), reading)
            .await
            .unwrap_or_else(|_| panic!("no answer to {}", String::from_utf8_lossy(&request)))
            .ok();
        let head = String::from_utf8_lossy(&answer).into_owned();
        let status: u16 = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_default();
        let is_right = (200..500).contains(&status)
            && head.contains("\r\nx-request-id: ")
            && (status < 400 || head.contains("\r\ncontent-type: application/problem+json\r\n"));
        assert!(is_right, "{head} to {}", String::from_utf8_lossy(&request));
    }
    service.get("/users/ada").await.expect(200);
    let log = service.log();
    let bad: Vec<_> = log.iter().filter(|line| line["level"] == "ERROR").collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(!log.iter().any(|line| line.to_string().contains("panicked")));
}
