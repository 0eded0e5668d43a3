//! A master that Sentinels name (C60): logins, TLS, the check, and which Sentinels are believed.
//!
//! Come here after changing how the master is found.

use backend::infrastructure::settings::{CacheBackendKind, CacheRedisMode, CacheSettings};

use crate::addresses::{ITEM, mistakes};
use crate::harness::{Harness, Log, get, near_settings, settings};
use crate::support::certificates::{Certificates, text};
use crate::support::eventually;
use crate::support::sentinels::{MASTER, Replicated, Sentinel, list};
use crate::support::server::{Kind, Server, free_port};
use crate::support::service::command;
use crate::support::variable;

/// Settings with these Sentinels in place of an address.
fn with_sentinels(base: CacheSettings, sentinels: &str) -> CacheSettings {
    CacheSettings {
        cache_redis_mode: CacheRedisMode::Sentinel,
        cache_redis_sentinels: sentinels.to_owned(),
        cache_redis_sentinel_master: MASTER.to_owned(),
        cache_redis_host: "host.invalid".to_owned(),
        ..base
    }
}

/// Fails unless answers come from the cache of these settings.
async fn expect_hits(settings: CacheSettings) {
    let has_near_cache = settings.cache_near;
    let harness = Harness::with_settings(settings).await;
    let app = harness.numbered_app(ITEM).await;
    eventually("it is cached", async || {
        let is_hit = get(&app, "/1").await.is_hit();
        is_hit && (!has_near_cache || harness.cache.shortfall().is_none())
    })
    .await;
}

/// The line of `backend check` about the cache.
fn check(sentinels: &str, more: &[(&str, &str)]) -> String {
    let database = variable("TEST_DATABASE_URL");
    let own = [
        ("CACHE_REDIS_MODE", "sentinel"),
        ("CACHE_REDIS_SENTINELS", sentinels),
        ("CACHE_REDIS_SENTINEL_MASTER", MASTER),
        ("DATABASE_URL", database.as_str()),
    ];
    let mut check = command(&[&own, more].concat());
    let output = check.arg("check").output().expect("the binary");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(" cache "));
    line.map_or(text.clone(), str::to_owned)
}

#[actix_web::test]
async fn c60_the_master_that_sentinels_name_is_used_with_and_without_a_near_cache() {
    let redis = Replicated::start().await;
    for base in [settings(CacheBackendKind::Redis), near_settings()] {
        expect_hits(with_sentinels(base, &redis.list())).await;
    }
    let line = check(&redis.list(), &[]);
    assert!(line.starts_with("ok"), "{line}");
}

#[actix_web::test]
async fn c60_a_dead_sentinel_is_a_warning_and_a_dead_majority_ends_the_trust() {
    let mut redis = Replicated::start().await;
    let log = Log::collect();
    let list = redis.list();
    let settings = with_sentinels(settings(CacheBackendKind::Redis), &list);
    let harness = Harness::with_settings(settings).await;
    let app = harness.numbered_app(ITEM).await;
    eventually("it is cached", async || get(&app, "/1").await.is_hit()).await;
    let dead = format!("127.0.0.1:{}", redis.sentinels[2].port);
    redis.sentinels[2].kill();
    eventually("it is reported", async || {
        let shortfall = harness.cache.shortfall().unwrap_or_default();
        shortfall.contains(&dead)
    })
    .await;
    assert!(get(&app, "/1").await.is_hit());
    let line = check(&list, &[]);
    assert!(
        line.starts_with("warning") && line.contains(&dead),
        "{line}"
    );
    redis.sentinels[1].kill();
    eventually("nothing is trusted", async || {
        !get(&app, "/1").await.is_hit()
    })
    .await;
    eventually("it is in the log", async || {
        get(&app, "/1").await;
        let lines = log.lines_with(&[
            "Cache backend not available",
            "no majority of the Sentinels",
        ]);
        !lines.is_empty()
    })
    .await;
    let line = check(&list, &[]);
    assert!(
        line.starts_with("failed") && line.contains("1 of 3 name one"),
        "{line}"
    );
}

#[actix_web::test]
async fn c60_the_name_of_a_master_that_sentinels_do_not_know_is_said() {
    let redis = Replicated::start().await;
    let line = check(&redis.list(), &[("CACHE_REDIS_SENTINEL_MASTER", "other")]);
    let expected = "it knows no master `other` (CACHE_REDIS_SENTINEL_MASTER)";
    assert!(
        line.starts_with("failed") && line.contains(expected),
        "{line}"
    );
}

#[actix_web::test]
async fn c60_sentinels_and_master_have_users_of_their_own() {
    let server = Server::start(Kind::Redis);
    let user = "ACL SETUSER shop on >p@ss:w/rd% ~* &* +@all -@dangerous";
    assert_eq!(server.say(user), "+OK");
    let lines = [
        "user watcher on >of-sentinels +sentinel|master +sentinel|get-master-addr-by-name",
        "user default off",
    ];
    let sentinel = Sentinel::start(free_port(), server.port, 1, &lines.map(str::to_owned));
    // After the Sentinel has asked the master what it is.
    let sentinels = list([sentinel.port]);
    let complete = |password: &str| CacheSettings {
        cache_redis_sentinel_username: "watcher".to_owned(),
        cache_redis_sentinel_password: password.to_owned().into(),
        cache_redis_username: "shop".to_owned(),
        cache_redis_password: "p@ss:w/rd%".to_owned().into(),
        ..with_sentinels(settings(CacheBackendKind::Redis), &sentinels)
    };
    expect_hits(complete("of-sentinels")).await;
    let log = Log::collect();
    let harness = Harness::with_settings(complete("hunter2")).await;
    let app = harness.numbered_app(ITEM).await;
    eventually("the refusal is in the log", async || {
        get(&app, "/1").await;
        !log.lines_with(&["Cache backend not available", "uthentication"])
            .is_empty()
    })
    .await;
    assert_eq!(log.lines_with(&["hunter2"]), Vec::<String>::new());
}

#[actix_web::test]
async fn c60_sentinels_and_master_are_reached_by_tls() {
    let certificates = Certificates::create();
    let (port, sentinel_port) = (free_port(), free_port());
    let files = [
        ("tls-cert-file", text(&certificates.server())),
        ("tls-key-file", text(&certificates.key())),
        ("tls-ca-cert-file", text(&certificates.authority())),
        ("tls-auth-clients", "no".to_owned()),
    ];
    let mut arguments = vec!["--tls-port".to_owned(), port.to_string()];
    for (name, value) in &files {
        arguments.extend([format!("--{name}"), value.clone()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let _server = Server::start_with(Kind::Redis, &arguments);
    let mut lines: Vec<_> = files
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    lines.push(format!("tls-port {sentinel_port}"));
    lines.push("tls-replication yes".to_owned());
    let _sentinel = Sentinel::start(free_port(), port, 1, &lines);
    let settings = CacheSettings {
        cache_redis_tls: true,
        cache_redis_tls_ca_file: text(&certificates.authority()),
        ..with_sentinels(settings(CacheBackendKind::Redis), &list([sentinel_port]))
    };
    expect_hits(settings).await;
}

#[test]
fn c60_a_mode_and_its_variables_belong_together() {
    let mode = ("CACHE_REDIS_MODE", "sentinel");
    let sentinels = ("CACHE_REDIS_SENTINELS", "a:26379,b:26379,c:26379");
    assert_eq!(mistakes(&[mode, sentinels]), "");
    assert!(mistakes(&[mode]).starts_with("CACHE_REDIS_SENTINELS is not set"));
    let unused = mistakes(&[sentinels]);
    assert!(
        unused.starts_with("CACHE_REDIS_SENTINELS is set; it may be set only with"),
        "{unused}"
    );
    let url = ("CACHE_REDIS_URL", "redis://user:hunter2@cache:6379/0");
    let both = mistakes(&[mode, sentinels, url]);
    assert!(
        both.starts_with("CACHE_REDIS_URL is set beside CACHE_REDIS_MODE=sentinel"),
        "{both}"
    );
    assert!(!both.contains("hunter2"), "{both}");
    let nodes = ("CACHE_REDIS_NODES", "a:6379,b:6379,c:6379");
    let alone = mistakes(&[nodes]);
    assert!(
        alone.starts_with("CACHE_REDIS_NODES is set; it may be set only with"),
        "{alone}"
    );
    let mode = ("CACHE_REDIS_MODE", "cluster");
    assert_eq!(mistakes(&[mode, nodes]), "");
    assert!(mistakes(&[mode]).starts_with("CACHE_REDIS_NODES is not set"));
    for (name, value) in [("CACHE_NEAR", "true"), ("CACHE_REDIS_DB", "1"), url] {
        let refused = mistakes(&[mode, nodes, (name, value)]);
        let beginning = format!("{name} is set beside CACHE_REDIS_MODE=cluster; remove it");
        assert!(refused.starts_with(&beginning), "{refused}");
    }
}
