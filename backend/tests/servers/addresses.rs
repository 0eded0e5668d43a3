//! Addresses of Redis in one URL, users with passwords, a socket, IPv6 (C59).
//!
//! Come here after changing how an address is read. TLS is in `tls`.

use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings, Settings};

use crate::harness::{Harness, Log, get, near_settings, settings};
use crate::support::eventually;
use crate::support::server::{Kind, Server};

pub const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

/// Settings with this address in place of the host and its port.
pub fn addressed(base: CacheSettings, url: &str) -> CacheSettings {
    CacheSettings {
        cache_redis_url: url.to_owned().into(),
        cache_redis_host: "host.invalid".to_owned(),
        ..base
    }
}

/// Fails unless answers come from the cache of these settings, with and without a near cache.
pub async fn expect_hits(url: &str, complete: impl Fn(CacheSettings) -> CacheSettings) {
    for base in [settings(CacheBackendKind::Redis), near_settings()] {
        let has_near_cache = base.cache_near;
        let harness = Harness::with_settings(complete(addressed(base, url))).await;
        let app = harness.numbered_app(ITEM).await;
        eventually("it is cached", async || get(&app, "/1").await.is_hit()).await;
        if has_near_cache {
            // The connection of the near cache has the same address.
            eventually("a hit needs no server", async || {
                get(&app, "/1").await;
                harness.cache.shortfall().is_none()
            })
            .await;
        }
    }
}

/// A Redis with a user `shop`, whose password has characters that a URL escapes.
fn with_a_user(arguments: &[&str]) -> Server {
    let server = Server::start_with(Kind::Redis, arguments);
    let user = "ACL SETUSER shop on >p@ss:w/rd% ~* &* +@all -@dangerous";
    assert_eq!(server.say(user), "+OK");
    assert_eq!(server.say("ACL SETUSER default off"), "+OK");
    server
}

#[actix_web::test]
async fn c59_a_url_holds_user_password_host_port_and_database() {
    let server = with_a_user(&[]);
    let url = format!(
        "redis://shop:p%40ss%3Aw%2Frd%25@127.0.0.1:{}/3",
        server.port
    );
    expect_hits(&url, |settings| settings).await;
}

#[actix_web::test]
async fn c59_a_user_and_a_password_are_settings_of_their_own_too() {
    let server = with_a_user(&[]);
    let harness = Harness::with_settings(CacheSettings {
        cache_redis_port: server.port,
        cache_redis_username: "shop".to_owned(),
        cache_redis_password: "p@ss:w/rd%".to_owned().into(),
        ..settings(CacheBackendKind::Redis)
    })
    .await;
    let app = harness.numbered_app(ITEM).await;
    eventually("it is cached", async || get(&app, "/1").await.is_hit()).await;
}

#[actix_web::test]
async fn c59_a_unix_socket_works_with_user_and_database() {
    let socket = std::env::temp_dir().join(crate::support::unique("redis"));
    let socket = socket.to_str().unwrap();
    let _server = with_a_user(&["--unixsocket", socket]);
    let url = format!("redis+unix://{socket}?db=2&user=shop&pass=p%40ss%3Aw%2Frd%25");
    expect_hits(&url, |settings| settings).await;
}

#[actix_web::test]
async fn c59_an_address_of_version_6_works_in_a_url_and_as_a_host() {
    let server = Server::start_with(Kind::Redis, &["--bind", "127.0.0.1", "::1"]);
    let url = format!("redis://[::1]:{}", server.port);
    expect_hits(&url, |settings| settings).await;
    let harness = Harness::with_settings(CacheSettings {
        cache_redis_port: server.port,
        cache_redis_host: "::1".to_owned(),
        ..settings(CacheBackendKind::Redis)
    })
    .await;
    let app = harness.numbered_app(ITEM).await;
    eventually("it is cached", async || get(&app, "/1").await.is_hit()).await;
}

#[actix_web::test]
async fn c59_a_refused_login_shows_no_password() {
    let server = with_a_user(&[]);
    let url = format!("redis://shop:hunter2@127.0.0.1:{}", server.port);
    let log = Log::collect();
    let harness = Harness::with_settings(addressed(settings(CacheBackendKind::Redis), &url)).await;
    let app = harness.numbered_app(ITEM).await;
    eventually("the refusal is in the log", async || {
        get(&app, "/1").await;
        !log.lines_with(&["Cache backend not available", "uthentication"])
            .is_empty()
    })
    .await;
    assert_eq!(log.lines_with(&["hunter2"]), Vec::<String>::new());
    assert!(!format!("{:?}", harness.settings).contains("hunter2"));
}

/// The mistakes in the settings of an environment.
pub fn mistakes(environment: &[(&str, &str)]) -> String {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let loaded = Settings::from_sources(backend::PROGRAM, environment.collect(), None);
    loaded.map_or_else(|mistakes| mistakes.to_string(), |_| String::new())
}

#[test]
fn c59_a_url_beside_what_it_replaces_is_refused_by_name() {
    let url = ("CACHE_REDIS_URL", "redis://user:hunter2@cache:6379/0");
    for (name, value) in [
        ("CACHE_REDIS_HOST", "cache"),
        ("CACHE_REDIS_PORT", "6380"),
        ("CACHE_REDIS_DB", "1"),
        ("CACHE_REDIS_USERNAME", "shop"),
        ("CACHE_REDIS_PASSWORD", "hunter2"),
    ] {
        let found = mistakes(&[url, (name, value)]);
        assert!(
            found.starts_with(&format!("{name} and CACHE_REDIS_URL are both set")),
            "{found}"
        );
        assert!(!found.contains("hunter2"), "{found}");
    }
    // A copy of `.env.example` sets every variable to its default.
    assert_eq!(mistakes(&[url, ("CACHE_REDIS_HOST", "localhost")]), "");
}

#[test]
fn c59_what_is_no_address_of_redis_is_refused_without_its_password() {
    for wrong in [
        "http://user:hunter2@cache",
        "redis://user:hunter2@cache/one",
        "rediss://user:hunter2@cache/#insecure",
        "hunter2",
    ] {
        let found = mistakes(&[("CACHE_REDIS_URL", wrong)]);
        assert!(
            found.starts_with("CACHE_REDIS_URL holds `***`; it may hold redis://"),
            "{found}"
        );
    }
}
