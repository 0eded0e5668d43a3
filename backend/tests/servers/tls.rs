//! Redis behind TLS: a private authority, the authorities of the system, and certificates that are refused (C59).
//!
//! Come here after changing which certificates are trusted.

use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::addresses::{ITEM, addressed, expect_hits};
use crate::harness::{Harness, Log, get, settings};
use crate::support::certificates::{Certificates, text};
use crate::support::eventually;
use crate::support::server::{Kind, Server, free_port};
use crate::support::service::command;
use crate::support::variable;

/// A Redis that also listens on a port with TLS.
struct Secured {
    _server: Server,
    port: u16,
    certificates: Certificates,
}

impl Secured {
    fn start() -> Self {
        let certificates = Certificates::create();
        let port = free_port();
        let arguments = certificates.of_redis(port);
        let arguments: Vec<&str> = arguments.split(' ').collect();
        Self {
            _server: Server::start_with(Kind::Redis, &arguments),
            port,
            certificates,
        }
    }
}

#[actix_web::test]
async fn c59_tls_with_a_private_authority_works_by_name_and_by_address() {
    let redis = Secured::start();
    let authority = text(&redis.certificates.authority());
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("rediss://{host}:{}", redis.port);
        expect_hits(&url, |settings| CacheSettings {
            cache_redis_tls_ca_file: authority.clone(),
            ..settings
        })
        .await;
    }
}

#[actix_web::test]
async fn c59_a_certificate_of_another_authority_is_refused() {
    let redis = Secured::start();
    let other = Certificates::create();
    let url = format!("rediss://localhost:{}", redis.port);
    for authority in [text(&other.authority()), String::new()] {
        let log = Log::collect();
        let harness = Harness::with_settings(CacheSettings {
            cache_redis_tls_ca_file: authority,
            ..addressed(settings(CacheBackendKind::Redis), &url)
        })
        .await;
        let app = harness.numbered_app(ITEM).await;
        eventually("it is in the log", async || {
            assert!(!get(&app, "/1").await.is_hit());
            !log.lines_with(&["Cache backend not available", "certificate"])
                .is_empty()
        })
        .await;
    }
}

/// The line of `backend check` about the cache.
fn check(environment: &[(&str, &str)]) -> String {
    let database = variable("TEST_DATABASE_URL");
    let own = [
        ("CACHE_OPERATION_TIMEOUT_MS", "5000"),
        ("DATABASE_URL", database.as_str()),
    ];
    let mut check = command(&[&own, environment].concat());
    let output = check.arg("check").output().expect("the binary");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(" cache "));
    line.map_or(text.clone(), str::to_owned)
}

#[actix_web::test]
async fn c59_without_a_file_the_authorities_of_the_system_are_trusted() {
    let redis = Secured::start();
    let url = format!("rediss://localhost:{}", redis.port);
    // Takes the place of the system's authorities.
    let authority = text(&redis.certificates.authority());
    let trusted = check(&[("CACHE_REDIS_URL", &url), ("SSL_CERT_FILE", &authority)]);
    assert!(trusted.starts_with("ok"), "{trusted}");
    let unknown = check(&[("CACHE_REDIS_URL", &url)]);
    assert!(unknown.starts_with("failed"), "{unknown}");
}

#[actix_web::test]
async fn c59_the_file_of_the_authority_is_checked_at_the_start() {
    let url = ("CACHE_REDIS_URL", "rediss://localhost");
    let missing = check(&[url, ("CACHE_REDIS_TLS_CA_FILE", "/none/authority.pem")]);
    let expected =
        "CACHE_REDIS_TLS_CA_FILE holds `/none/authority.pem`; it may hold the path of a file";
    assert!(missing.contains(expected), "{missing}");
    let certificates = Certificates::create();
    let authority = text(&certificates.authority());
    let plain = check(&[
        ("CACHE_REDIS_URL", "redis://localhost"),
        ("CACHE_REDIS_TLS_CA_FILE", &authority),
    ]);
    assert!(plain.contains("begins with rediss://"), "{plain}");
}
