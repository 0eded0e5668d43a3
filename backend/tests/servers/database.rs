//! PostgreSQL behind TLS: `sslmode` and `sslrootcert` in `DATABASE_URL`.
//!
//! Come here after changing the connection to the database.

use crate::support::certificates::{Certificates, text};
use crate::support::postgres::Postgres;
use crate::support::service::command;

/// The line of `backend check` about the database with these parameters of the URL.
fn check(server: &Postgres, parameters: &str) -> String {
    let url = format!("{}?{parameters}", Postgres::url(server.port));
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("CACHE_ENABLED", "false"),
        ("DATABASE_CONNECT_TIMEOUT", "20"),
    ];
    let mut check = command(&environment);
    let output = check.arg("check").output().expect("the binary");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(" database "));
    line.map_or(text.clone(), str::to_owned)
}

#[test]
fn postgresql_with_tls_is_verified_by_the_root_in_the_url() {
    crate::support::watchdog::watch();
    let certificates = Certificates::create();
    let server = Postgres::start_with_tls(&certificates);
    let root = text(&certificates.authority());
    for mode in ["require", "verify-ca", "verify-full"] {
        let line = check(&server, &format!("sslmode={mode}&sslrootcert={root}"));
        assert!(line.starts_with("ok"), "{mode}: {line}");
    }
    let unverified = check(&server, "sslmode=require");
    assert!(unverified.starts_with("ok"), "{unverified}");
    let other = Certificates::create();
    let wrong = text(&other.authority());
    let refused = check(&server, &format!("sslmode=verify-full&sslrootcert={wrong}"));
    assert!(refused.starts_with("failed"), "{refused}");
    let without_tls = check(&server, "sslmode=disable");
    assert!(without_tls.starts_with("failed"), "{without_tls}");
    let unknown = check(&server, "sslmode=verify-full");
    assert!(unknown.starts_with("failed"), "{unknown}");
}
