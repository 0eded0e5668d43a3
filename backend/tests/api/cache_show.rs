//! `backend cache show KEY`, from the running binary: an entry as a running service stored it.
//!
//! Come here after changing what the command prints. What the console shows is in `console`.

use std::process::Output;

use serde_json::json;

use crate::starting::{errors, run};
use crate::support::service::{Service, TestService};
use crate::support::variable;

const SERVERS: [&str; 2] = ["redis", "memcached"];

/// Runs the command in another process than the service, with its settings.
fn show(service: &TestService, backend: &str, arguments: &[&str]) -> Output {
    let (redis, memcached) = (variable("TEST_REDIS_PORT"), variable("TEST_MEMCACHED_PORT"));
    let environment = [
        ("DATABASE_URL", service.database.url().as_str()),
        ("CACHE_BACKEND", backend),
        ("CACHE_REDIS_PORT", &redis),
        ("CACHE_MEMCACHED_PORT", &memcached),
        ("CACHE_NAMESPACE", &service.namespace),
        ("CACHE_OPERATION_TIMEOUT_MS", "5000"),
        ("CACHE_EXTRA_BACKENDS", "other:memcached"),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    run(&environment, &[&["cache", "show"], arguments].concat(), "")
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"", "nothing is logged");
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// The value of a line before the body.
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
}

async fn widget_of(service: &Service, description: &str) -> (String, String) {
    let token = service.new_user("ada").await;
    let body = json!({"name": "tea", "description": description});
    let created = service.post(&token, "/widgets", body).await.expect(201);
    let id = created.json()["id"].as_i64().expect("an id");
    (format!("/widgets/{id}"), format!("widget:{id}"))
}

#[tokio::test]
async fn an_entry_is_shown_with_its_state_its_headers_and_its_body() {
    for backend in SERVERS {
        let service = TestService::start_with(&[("CACHE_BACKEND", backend)]).await;
        let (path, key) = widget_of(&service, "green").await;
        let answer = service.get_cached("", &path).await;

        let text = printed(&show(&service, backend, &[&key]));
        assert_eq!(line(&text, "key"), key);
        assert_eq!(line(&text, "state"), "answer");
        assert_eq!(line(&text, "etag"), answer.header("etag"));
        assert_eq!(line(&text, "content-type"), "application/json");
        let seconds = |name: &str| -> i64 {
            let value = line(&text, name).strip_suffix(" s").expect("seconds");
            value.parse().expect("a number")
        };
        assert!(
            (500..=600).contains(&(seconds("age") + seconds("ttl"))),
            "{text}"
        );
        let (_, body) = text.rsplit_once("\n\n").expect("a body");
        assert_eq!(body.trim_end(), answer.text);

        let alone = show(&service, backend, &[&key, "--body"]);
        assert_eq!(printed(&alone), answer.text, "byte for byte");
    }
}

#[tokio::test]
async fn a_compressed_entry_is_shown_as_its_handler_sent_it() {
    for backend in SERVERS {
        let compressing = [
            ("CACHE_BACKEND", backend),
            ("CACHE_COMPRESS_MIN_BYTES", "256"),
        ];
        let service = TestService::start_with(&compressing).await;
        let (path, key) = widget_of(&service, &"green tea, ".repeat(80)).await;
        let answer = service.get_cached("", &path).await;

        let text = printed(&show(&service, backend, &[&key]));
        let size = line(&text, "size");
        let (plain, stored) = size.split_once(" bytes, ").expect(size);
        assert_eq!(plain, answer.text.len().to_string());
        assert!(stored.ends_with("as stored (zstd)"), "{size}");
        let alone = show(&service, backend, &[&key, "--body"]);
        assert_eq!(printed(&alone), answer.text);
    }
}

#[tokio::test]
async fn an_entry_that_a_write_has_ended_is_no_answer_and_names_its_group() {
    for backend in SERVERS {
        // The proof would read the list again after the write, and so store it.
        let service = TestService::start_with(&[("CACHE_BACKEND", backend)]).await;
        let service = service.without_proof();
        let (path, _) = widget_of(&service, "green").await;
        let list = service.get("/users/ada/widgets").await.expect(200);
        let key = list.key();
        let text = printed(&show(&service, backend, &[key]));
        assert_eq!(
            (line(&text, "state"), line(&text, "group")),
            ("answer", "user_ada_widgets")
        );

        let admin = service.admin().await;
        let renamed = json!({"name": "coffee"});
        service.patch(&admin, &path, renamed).await.expect(200);
        let text = printed(&show(&service, backend, &[key]));
        assert_eq!(line(&text, "state"), "ended");
    }
}

#[tokio::test]
async fn what_is_no_entry_is_an_error_that_says_why() {
    let service = TestService::start().await;
    let (path, key) = widget_of(&service, "green").await;
    service.get(&path).await.expect(200);
    let refused = |backend: &str, arguments: &[&str], expected: &str| {
        let errors = errors(&show(&service, backend, arguments));
        assert!(
            errors.len() == 1 && errors[0].contains(expected),
            "{errors:?}"
        );
    };
    refused("redis", &["widget:0"], "there is no entry under widget:0");
    refused("redis", &["~generation"], "keys that begin with `~`");
    refused("memory", &[&key], "in the process of the service");
    refused(
        "redis",
        &[&key, "--backend", "none"],
        "no backend of that name",
    );
    refused("redis", &[&key, "--backend", "other"], "there is no entry");
}

#[tokio::test]
async fn looking_at_an_entry_changes_nothing_for_the_instances() {
    for backend in SERVERS {
        let service = TestService::start_with(&[("CACHE_BACKEND", backend)]).await;
        let (path, key) = widget_of(&service, "green").await;
        service.get_cached("", &path).await;
        for _ in 0..3 {
            show(&service, backend, &[&key]);
            let answer = service.get(&path).await.expect(200);
            assert!(answer.is_hit(), "{answer:#?}");
        }
    }
}
