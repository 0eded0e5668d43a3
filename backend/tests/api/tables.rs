//! Tables that do not fit the program: older, newer, changed, locked by another instance, or owned by another role.
//!
//! Come here for anything about migrations at the start, and readiness without the right tables.

use reqwest::Method;
use sqlx::migrate::Migrate;
use sqlx::{Connection, Executor, PgConnection};

use crate::starting::{errors, run};
use crate::support::database::TestDatabase;
use crate::support::service::{Service, command};
use crate::support::{eventually, process, unique};

const UNCACHED: (&str, &str) = ("CACHE_ENABLED", "false");

async fn execute(database: &TestDatabase, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    database
        .pool()
        .await
        .execute(sql)
        .await
        .expect("a statement");
}

async fn readiness(service: &Service) -> u16 {
    let request = service.request(Method::GET, "/health/ready");
    service.send(request).await.status
}

fn is_logged(service: &Service, text: &str) -> bool {
    let log = serde_json::to_string(&service.log()).unwrap();
    log.contains(text)
}

#[tokio::test]
async fn an_older_program_starts_with_newer_tables_and_says_so() {
    let database = TestDatabase::migrated().await;
    execute(
        &database,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9001, 'of the future', true, '', 0)",
    )
    .await;
    for migrates in ["true", "false"] {
        let environment = [UNCACHED, ("DATABASE_AUTO_MIGRATE", migrates)];
        let service = Service::start(&database.url(), &environment).await;
        assert_eq!(readiness(&service).await, 200);
        eventually("the log names the newer migration", async || {
            is_logged(&service, "9001")
        })
        .await;
    }
}

#[tokio::test]
async fn a_changed_migration_stops_the_start_with_a_sentence_that_says_what_to_do() {
    let database = TestDatabase::migrated().await;
    execute(
        &database,
        "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 2",
    )
    .await;
    let url = database.url();
    let lines = errors(&run(&[("DATABASE_URL", &url)], &["migrate"], ""));
    assert!(
        lines.len() == 1
            && lines[0].contains("migration 2 was applied with another text")
            && lines[0].contains("add another migration"),
        "{lines:#?}"
    );
}

#[tokio::test]
async fn readiness_is_503_until_the_tables_are_those_of_the_program() {
    let database = TestDatabase::create().await;
    let environment = [UNCACHED, ("DATABASE_AUTO_MIGRATE", "false")];
    let service = Service::start(&database.url(), &environment).await;
    assert_eq!(readiness(&service).await, 503);
    let url = database.url();
    assert!(
        run(&[("DATABASE_URL", &url)], &["migrate"], "")
            .status
            .success()
    );
    assert_eq!(readiness(&service).await, 200);
    execute(&database, "DELETE FROM _sqlx_migrations WHERE version = 3").await;
    assert_eq!(readiness(&service).await, 503);
    eventually("the log names the reason", async || {
        is_logged(&service, "migration 3 has not been applied")
    })
    .await;
}

#[tokio::test]
async fn a_role_that_may_only_read_and_write_rows_suffices_where_nothing_is_to_migrate() {
    let database = TestDatabase::migrated().await;
    let role = unique("role");
    let mut url = reqwest::Url::parse(&database.url()).unwrap();
    let password = url.password().unwrap();
    execute(
        &database,
        &format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"),
    )
    .await;
    url.set_username(&role).unwrap();
    let environment = [("DATABASE_URL", url.as_str()), UNCACHED];
    let lines = errors(&run(&environment, &["migrate"], ""));
    assert!(lines.concat().contains("docs/production.md"), "{lines:#?}");
    execute(
        &database,
        &format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"),
    )
    .await;
    for migrates in ["true", "false"] {
        let environment = [UNCACHED, ("DATABASE_AUTO_MIGRATE", migrates)];
        let service = Service::start(url.as_str(), &environment).await;
        assert_eq!(readiness(&service).await, 200);
        let token = service.new_user(&format!("user_{migrates}")).await;
        service
            .new_widget(&token, "made by a role without tables")
            .await;
    }
    execute(&database, "DELETE FROM _sqlx_migrations WHERE version = 3").await;
    let lines = errors(&run(&environment, &["migrate"], ""));
    assert!(lines.concat().contains("as their owner"), "{lines:#?}");
    execute(
        &database,
        &format!("DROP OWNED BY {role}; DROP ROLE {role}"),
    )
    .await;
}

#[tokio::test]
async fn c53_a_table_without_its_trigger_is_an_error_in_the_log() {
    let database = TestDatabase::migrated().await;
    execute(&database, "DROP TRIGGER users_updated ON users").await;
    let environment = [("CACHE_DATABASE_FEED", "true"), ("CACHE_BACKEND", "memory")];
    let service = Service::start(&database.url(), &environment).await;
    assert!(
        is_logged(
            &service,
            "the table `users` has no trigger that records UPDATE"
        ),
        "{:#?}",
        service.log()
    );
}

#[tokio::test]
async fn c54_a_write_whose_changes_no_trigger_records_ends_everything() {
    let database = TestDatabase::migrated().await;
    execute(&database, "ALTER TABLE users DISABLE TRIGGER users_updated").await;
    let service = Service::start(&database.url(), &[("CACHE_BACKEND", "memory")]).await;
    let ada = service.new_user("ada").await;
    service.get_cached("", "/users/ada").await;
    let change = serde_json::json!({"name": "Countess"});
    let answer = service.patch(&ada, "/users/ada", change).await.expect(200);
    let status = answer.header("cache-status");
    assert!(status.contains("; everything"), "{status}");
    let name = service.get("/users/ada").await.json()["name"].clone();
    assert_eq!(name, "Countess");
}

/// The reasons of a start that is refused, with the feed or without it.
fn refusal(database: &TestDatabase, feed: &str) -> Vec<String> {
    let url = database.url();
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("CACHE_DATABASE_FEED", feed),
        ("CACHE_BACKEND", "memory"),
        ("LOG_LEVEL", "off"),
    ];
    errors(&run(&environment, &["serve"], ""))
}

#[tokio::test]
async fn c54_writes_whose_changes_the_feed_delivers_do_not_start_without_it() {
    let database = TestDatabase::migrated().await;
    let lines = refusal(&database, "false");
    // Three writes of users and three of widgets; a module of one's own adds its own.
    assert!(lines.len() >= 6, "{lines:#?}");
    for line in &lines {
        assert!(line.contains("CACHE_DATABASE_FEED=false"), "{lines:#?}");
    }
    assert!(lines[0].contains("POST /api/v1/widgets"), "{lines:#?}");
}

#[tokio::test]
async fn c47_a_trigger_that_lacks_a_declared_argument_stops_the_start() {
    let database = TestDatabase::migrated().await;
    execute(&database, "DROP TRIGGER users_inserted_or_deleted ON users").await;
    execute(
        &database,
        "CREATE TRIGGER users_inserted_or_deleted AFTER INSERT OR DELETE ON users FOR EACH ROW
         EXECUTE FUNCTION record_cache_change('users', 'user_id', 'id', 'usernam', 'username')",
    )
    .await;
    let lines = refusal(&database, "true");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    for part in [
        "changes of `users` (backend/src/modules/users/cache.rs:",
        "`users_inserted_or_deleted`",
        "does not record `username`; it records `user_id`, `usernam`",
    ] {
        assert!(lines[0].contains(part), "`{part}` in {lines:#?}");
    }
}

#[tokio::test]
async fn c47_a_trigger_that_records_a_column_that_is_gone_stops_the_start() {
    let database = TestDatabase::migrated().await;
    execute(&database, "ALTER TABLE users RENAME username TO login").await;
    let lines = refusal(&database, "true");
    assert!(!lines.is_empty());
    for line in &lines {
        let part =
            "records `username`, which the table `users` does not have; it has `id`, `login`";
        assert!(line.contains(part), "`{part}` in {lines:#?}");
    }
}

#[tokio::test]
async fn sigterm_ends_a_program_that_waits_for_another_one_that_migrates() {
    for (arguments, code) in [(&["serve"][..], 0), (&["migrate"], 143)] {
        // A database each: the server does not notice that a session which waits for a lock has lost its client.
        let database = TestDatabase::create().await;
        let url = database.url();
        let mut other = PgConnection::connect(&url).await.unwrap();
        other.lock().await.unwrap();
        let mut waiting = command(&[("DATABASE_URL", &url), UNCACHED])
            .args(arguments)
            .spawn()
            .unwrap();
        database.until_a_statement_waits().await;
        process::signal(waiting.id(), "TERM");
        let status = process::end(&mut waiting).await;
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}
