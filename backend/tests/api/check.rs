//! `backend check`, from the running binary: each concern is a line, and what is wrong says what to do.
//!
//! Come here after adding a concern to the check.

use std::process::Output;

use crate::starting::run;
use crate::support::database::TestDatabase;
use crate::support::server::{Kind, Server};
use crate::support::{unique, variable};

fn check(database_url: &str, environment: &[(&str, &str)]) -> Output {
    let (redis, namespace) = (variable("TEST_REDIS_PORT"), unique("test"));
    let memcached = variable("TEST_MEMCACHED_PORT");
    let own = [
        ("DATABASE_URL", database_url),
        ("CACHE_REDIS_PORT", &redis),
        ("CACHE_MEMCACHED_PORT", &memcached),
        ("CACHE_NAMESPACE", &namespace),
        ("CACHE_OPERATION_TIMEOUT_MS", "2000"),
        ("CACHE_DATABASE_FEED", "true"),
    ];
    run(&[&own, environment].concat(), &["check"], "")
}

/// The lines, each as its state, its concern and its text.
fn lines(output: &Output) -> Vec<(String, String, String)> {
    let text = String::from_utf8_lossy(&output.stdout);
    let parts = |line: &str| {
        let mut words = line.splitn(2, ' ');
        let state = words.next().unwrap_or_default().to_owned();
        let rest = words.next().unwrap_or_default().trim_start();
        let (concern, text) = rest.split_once(' ').unwrap_or_default();
        (state, concern.to_owned(), text.trim_start().to_owned())
    };
    text.lines().map(parts).collect()
}

/// Fails unless exactly one line has failed: that of the concern, with these parts.
#[track_caller]
fn expect_one_failure(output: &Output, concern: &str, parts: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let mut failed = lines(output);
    failed.retain(|(state, ..)| state == "failed");
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(failed[0].1, concern);
    for part in parts {
        assert!(failed[0].2.contains(part), "`{part}` in {failed:?}");
    }
}

async fn execute(database: &TestDatabase, sql: &str) {
    let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
    statement.execute(&database.pool().await).await.unwrap();
}

#[tokio::test]
async fn a_service_that_can_work_has_a_line_for_each_concern_and_ends_with_0() {
    let database = TestDatabase::migrated().await;
    for backend in ["redis", "memcached", "memory"] {
        let output = check(&database.url(), &[("CACHE_BACKEND", backend)]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let lines = lines(&output);
        let concerns: Vec<&str> = lines
            .iter()
            .map(|(_, concern, _)| concern.as_str())
            .collect();
        let expected = [
            "settings",
            "database",
            "migrations",
            "permissions",
            "clocks",
            "triggers",
            "cache",
            "map",
        ];
        assert_eq!(concerns, expected);
        assert!(lines.iter().all(|(state, ..)| state == "ok"), "{lines:#?}");
    }
}

#[tokio::test]
async fn what_depends_on_an_unavailable_database_is_skipped() {
    let output = check(
        "postgres://nobody@127.0.0.1:1/none",
        &[("DATABASE_CONNECT_TIMEOUT", "1")],
    );
    expect_one_failure(&output, "database", &["is PostgreSQL running"]);
    let lines = lines(&output);
    let skipped = lines.iter().filter(|(state, ..)| state == "skipped");
    assert_eq!(skipped.count(), 4, "{lines:#?}");
    assert!(
        lines
            .iter()
            .any(|(state, concern, _)| state == "ok" && concern == "cache")
    );
}

#[tokio::test]
async fn mistakes_in_the_settings_are_lines_that_show_no_secret() {
    let output = check(
        "mysql://user:hunter2@host/db",
        &[("CACHE_BACKEND", "rediss")],
    );
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines
            .iter()
            .all(|(state, concern, _)| state == "failed" && concern == "settings")
    );
    assert!(!format!("{lines:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_missing_migration_is_named_with_the_command() {
    let database = TestDatabase::migrated().await;
    execute(&database, "DELETE FROM _sqlx_migrations WHERE version = 3").await;
    let output = check(&database.url(), &[]);
    expect_one_failure(
        &output,
        "migrations",
        &["migration 3", "run `backend migrate`"],
    );
}

#[tokio::test]
async fn c53_a_table_without_its_trigger_is_named() {
    let database = TestDatabase::migrated().await;
    execute(&database, "DROP TRIGGER widgets_updated ON widgets").await;
    let output = check(&database.url(), &[]);
    let sentence = ["the table `widgets` has no trigger that records UPDATE"];
    expect_one_failure(&output, "triggers", &sentence);
    let off = check(&database.url(), &[("CACHE_ENABLED", "false")]);
    assert_eq!(off.status.code(), Some(0), "{off:?}");
}

#[tokio::test]
async fn privileges_that_the_role_lacks_are_named_with_their_grant() {
    let database = TestDatabase::migrated().await;
    let role = unique("role");
    let mut url = reqwest::Url::parse(&database.url()).unwrap();
    let password = url.password().unwrap().to_owned();
    let create = format!(
        "CREATE ROLE {role} LOGIN PASSWORD '{password}';
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
         REVOKE UPDATE, DELETE ON cache_changes FROM {role}"
    );
    execute(&database, &create).await;
    url.set_username(&role).unwrap();
    let output = check(url.as_str(), &[]);
    let grant = format!("GRANT UPDATE, DELETE ON cache_changes TO {role}");
    expect_one_failure(&output, "permissions", &[&grant]);
    execute(
        &database,
        &format!("DROP OWNED BY {role}; DROP ROLE {role}"),
    )
    .await;
}

#[tokio::test]
async fn a_cache_server_that_is_unavailable_or_refuses_a_command_is_named() {
    let database = TestDatabase::migrated().await;
    for (backend, port) in [
        ("redis", "CACHE_REDIS_PORT"),
        ("memcached", "CACHE_MEMCACHED_PORT"),
    ] {
        let output = check(&database.url(), &[("CACHE_BACKEND", backend), (port, "1")]);
        expect_one_failure(&output, "cache", &[backend, "is it running"]);
    }
    let server = Server::start(Kind::Redis);
    assert_eq!(
        server.say("ACL SETUSER default on nopass ~* &* +@all -unlink -del"),
        "+OK"
    );
    let port = server.port.to_string();
    let output = check(&database.url(), &[("CACHE_REDIS_PORT", &port)]);
    expect_one_failure(&output, "cache", &["ACL SETUSER"]);
}
