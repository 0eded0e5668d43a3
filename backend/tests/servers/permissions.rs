//! Redis users with few permissions: the shortest list works, and what is missing is named (C59).
//!
//! Come here after adding a Redis command: its permission belongs in `docs/servers.md`.

use std::process::Output;

use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::addresses::{ITEM, expect_hits};
use crate::harness::{Harness, Log, get, settings};
use crate::support::eventually;
use crate::support::server::{Kind, Server};
use crate::support::service::command;
use crate::support::variable;

/// The permissions that `docs/servers.md` lists for a user of the cache.
pub fn documented() -> Vec<String> {
    let page = include_str!("../../../docs/servers.md");
    let begin = "ACL SETUSER shop on >PASSWORD ~NAMESPACE:* ";
    let line = page.lines().find_map(|line| line.strip_prefix(begin));
    let rules = line.expect("the permissions").split(' ');
    rules.map(str::to_owned).collect()
}

/// A Redis whose only user is `shop`, with these permissions.
fn with_permissions(rules: &[String], keys: &str) -> Server {
    let server = Server::start(Kind::Redis);
    let user = format!("ACL SETUSER shop on >secret {keys} {}", rules.join(" "));
    assert_eq!(server.say(&user), "+OK");
    assert_eq!(server.say("ACL SETUSER default off"), "+OK");
    server
}

fn check(server: &Server, more: &[(&str, &str)]) -> (Output, String) {
    let url = format!("redis://shop:secret@127.0.0.1:{}", server.port);
    let database = variable("TEST_DATABASE_URL");
    let own = [
        ("CACHE_REDIS_URL", url.as_str()),
        ("CACHE_NAMESPACE", "shop"),
        ("CACHE_OPERATION_TIMEOUT_MS", "5000"),
        ("DATABASE_URL", database.as_str()),
    ];
    let mut check = command(&[&own, more].concat());
    let output = check.arg("check").output().expect("the binary");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(" cache "));
    let line = line.unwrap_or_default().to_owned();
    (output, line)
}

#[actix_web::test]
async fn c59_a_user_with_the_documented_permissions_can_do_all_that_the_cache_needs() {
    let server = with_permissions(&documented(), "~*");
    let url = format!("redis://shop:secret@127.0.0.1:{}", server.port);
    let log = Log::collect();
    expect_hits(&url, |settings| settings).await;
    assert_eq!(log.lines_with(&["NOPERM"]), Vec::<String>::new());
    let (_, line) = check(&server, &[("CACHE_NEAR", "true")]);
    assert!(line.starts_with("ok"), "{line}");
}

#[actix_web::test]
async fn c59_the_check_names_each_permission_that_is_missing() {
    let all = documented();
    let needed = all.iter().filter(|rule| *rule != "+client|tracking");
    for missing in needed {
        let mut rules = all.clone();
        rules.retain(|rule| rule != missing);
        let server = with_permissions(&rules, "~shop:*");
        let (_, line) = check(&server, &[]);
        assert!(line.starts_with("failed"), "without {missing}: {line}");
        let grant = format!("ACL SETUSER … {missing}");
        assert!(line.ends_with(&grant), "without {missing}: {line}");
    }
}

#[actix_web::test]
async fn c59_the_check_names_the_keys_and_a_near_cache_that_is_refused() {
    let (output, line) = check(&with_permissions(&documented(), "~other:*"), &[]);
    assert!(line.ends_with("ACL SETUSER … ~shop:*"), "{line}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("secret"));
    let mut rules = documented();
    rules.retain(|rule| rule != "+client|tracking");
    let server = with_permissions(&rules, "~shop:*");
    let (_, line) = check(&server, &[("CACHE_NEAR", "true")]);
    let warned = line.starts_with("warning") && line.ends_with("+client|tracking");
    assert!(warned, "{line}");
    let (_, line) = check(&server, &[]);
    assert!(line.starts_with("ok"), "{line}");
}

#[actix_web::test]
async fn c59_a_command_that_is_missing_is_reported_once_and_requests_are_answered() {
    for missing in ["+get", "+evalsha", "+unlink"] {
        let mut rules = documented();
        rules.retain(|rule| rule != missing);
        let server = with_permissions(&rules, "~*");
        let log = Log::collect();
        let harness = Harness::with_settings(CacheSettings {
            cache_redis_port: server.port,
            cache_redis_username: "shop".to_owned(),
            cache_redis_password: "secret".to_owned().into(),
            ..settings(CacheBackendKind::Redis)
        })
        .await;
        let app = harness.numbered_app(ITEM).await;
        let command = format!("'{}'", missing.trim_start_matches('+'));
        eventually("it is reported", async || {
            assert_eq!(get(&app, "/1").await.status, 200);
            let _ = harness.cache.delete("item:1").await;
            !log.lines_with(&["ERROR", "permission", &command])
                .is_empty()
        })
        .await;
        for _ in 0..20 {
            assert_eq!(get(&app, "/1").await.status, 200);
        }
        let reports = log.lines_with(&["ERROR", "permission", &command]);
        assert_eq!(reports.len(), 1, "{reports:#?}");
    }
}
