//! `Database` and `Transaction` by themselves: the state of a connection after an error, a timeout or a
//! dropped statement.
//!
//! Come here for rules of connections that a single request does not show.

use std::time::Duration;

use actix_web::ResponseError;
use backend::infrastructure::database::Database;
use backend::infrastructure::http::ApiError;
use backend::infrastructure::settings::DatabaseSettings;
use sqlx::Executor;

use crate::support::database::TestDatabase;
use crate::support::eventually;

/// A database with one connection and short deadlines.
fn connect(url: String) -> Database {
    Database::new(&settings(url)).expect("a database")
}

fn settings(url: String) -> DatabaseSettings {
    DatabaseSettings {
        database_url: url.into(),
        database_pool_size: 1,
        database_statement_timeout: 1,
        database_lock_timeout: 1,
        database_idle_transaction_timeout: 1,
        ..DatabaseSettings::default()
    }
}

async fn backend_pid(database: &Database) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(database)
        .await
        .expect("a process")
}

#[tokio::test]
async fn only_commits_of_work_that_is_repeated_after_a_crash_do_not_wait_for_the_disk() {
    let test = TestDatabase::create().await;
    let waits = async |database: Database| -> String {
        let mut transaction = database.begin().await.unwrap();
        sqlx::query_scalar("SELECT current_setting('synchronous_commit')")
            .fetch_one(&mut transaction)
            .await
            .unwrap()
    };
    for database_pgbouncer in [false, true] {
        let settings = DatabaseSettings {
            database_pgbouncer,
            ..settings(test.url())
        };
        let repeatable = Database::for_repeatable_work("test", &settings).unwrap();
        assert_eq!(waits(repeatable).await, "off");
        assert_eq!(waits(Database::new(&settings).unwrap()).await, "on");
    }
}

fn status(error: sqlx::Error) -> u16 {
    ApiError::from(error).status_code().as_u16()
}

#[tokio::test]
async fn every_connection_has_the_deadlines_of_the_settings() {
    let test = TestDatabase::create().await;
    let database = connect(test.url());
    for name in [
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
    ] {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(&database)
            .await
            .unwrap();
        assert_eq!(value, "1s", "{name}");
    }
}

#[tokio::test]
async fn an_sqlstate_that_is_temporary_is_503_and_another_one_is_500() {
    let test = TestDatabase::create().await;
    let pool = test.pool().await;
    for (code, expected) in [
        ("57014", 503),
        ("55P03", 503),
        ("25P03", 503),
        ("40001", 503),
        ("40P01", 503),
        ("25006", 503),
        ("53300", 503),
        ("57P01", 503),
        ("57P03", 503),
        ("08006", 503),
        ("26000", 503),
        ("42P01", 500),
        ("22012", 500),
        ("0A000", 500),
        ("XX000", 500),
    ] {
        let raise =
            format!("DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '{code}'; END $$");
        let error = pool.execute(sqlx::AssertSqlSafe(raise)).await.unwrap_err();
        assert_eq!(status(error), expected, "{code}");
    }
}

#[tokio::test]
async fn a_transaction_that_idles_too_long_is_503_and_its_connection_is_replaced() {
    let test = TestDatabase::create().await;
    let database = connect(test.url());
    let before = backend_pid(&database).await;
    let mut transaction = database.begin().await.unwrap();
    let observer = test.pool().await;
    eventually("the server has ended the connection", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1";
        let count: i64 = sqlx::query_scalar(sql)
            .bind(before)
            .fetch_one(&observer)
            .await
            .unwrap();
        count == 0
    })
    .await;
    let outcome = sqlx::query("SELECT 1").execute(&mut transaction).await;
    assert_eq!(status(outcome.unwrap_err()), 503);
    assert_eq!(status(transaction.commit().await.unwrap_err()), 500);
    assert_ne!(backend_pid(&database).await, before);
}

#[tokio::test]
async fn a_failed_transaction_cannot_be_committed() {
    let test = TestDatabase::migrated().await;
    let database = connect(test.url());
    let mut transaction = database.begin().await.unwrap();
    let insert = "INSERT INTO users (username, email, name, password_hash) VALUES ('ada', 'ada@example.com', 'Ada', '')";
    sqlx::query(insert).execute(&mut transaction).await.unwrap();
    sqlx::query(insert)
        .execute(&mut transaction)
        .await
        .unwrap_err();
    transaction.commit().await.unwrap_err();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&database)
        .await
        .unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back_and_its_connection_used_again() {
    let test = TestDatabase::create().await;
    let database = connect(test.url());
    let before = backend_pid(&database).await;
    let mut transaction = database.begin().await.unwrap();
    sqlx::query("CREATE TABLE gone ()")
        .execute(&mut transaction)
        .await
        .unwrap();
    drop(transaction);
    assert_eq!(backend_pid(&database).await, before);
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('gone') IS NOT NULL")
        .fetch_one(&database)
        .await
        .unwrap();
    assert!(!exists);
}

#[tokio::test]
async fn a_dropped_statement_keeps_its_connection_until_the_server_has_ended_it() {
    let test = TestDatabase::create().await;
    let database = connect(test.url());
    let before = backend_pid(&database).await;
    let sleeps = sqlx::query("SELECT pg_sleep(0.7)").execute(&database);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), sleeps)
            .await
            .is_err()
    );
    // The only connection is free when the server has ended the statement.
    let observer = test.pool().await;
    assert_eq!(backend_pid(&database).await, before);
    let sql = "SELECT state FROM pg_stat_activity WHERE pid = $1";
    let state: String = sqlx::query_scalar(sql)
        .bind(before)
        .fetch_one(&observer)
        .await
        .unwrap();
    assert_eq!(state, "idle");
}

#[tokio::test]
async fn a_read_whose_connection_was_ended_is_sent_again_and_a_write_is_not() {
    let test = TestDatabase::migrated().await;
    let database = connect(test.url());
    let end = async |pid: i32| {
        let ended =
            sqlx::query_scalar::<_, bool>("SELECT pg_terminate_backend($1, 5000)").bind(pid);
        assert!(ended.fetch_one(&test.pool().await).await.unwrap());
    };
    end(backend_pid(&database).await).await;
    let pid = backend_pid(&database).await;
    end(pid).await;
    let write = sqlx::query("UPDATE users SET name = 'x'")
        .execute(&database)
        .await;
    assert_eq!(status(write.unwrap_err()), 503);
    assert_ne!(backend_pid(&database).await, pid);
}
