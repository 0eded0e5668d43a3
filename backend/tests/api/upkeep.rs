//! Upkeep in the background: one instance at a time, in batches, until the process ends.
//!
//! Come here for what the service does without a request.

use sqlx::PgPool;

use crate::support::database::{TestDatabase, count};
use crate::support::eventually;
use crate::support::pgbouncer::PgBouncer;
use crate::support::service::Service;

const UNCACHED: (&str, &str) = ("CACHE_ENABLED", "false");
const DEBUG: (&str, &str) = ("LOG_LEVEL", "debug");

/// A database with so many expired tokens of one user, and one valid token.
async fn database_with_expired(tokens: i64) -> (TestDatabase, PgPool) {
    let database = TestDatabase::migrated().await;
    let pool = database.pool().await;
    sqlx::query(
        "WITH ada AS (
             INSERT INTO users (username, email, name, password_hash) VALUES ('ada', 'ada@example.com', 'Ada', '')
             RETURNING id
         )
         INSERT INTO access_tokens (token_hash, user_id, expires_at)
         SELECT sha256(n::text::bytea), id, now() + CASE n WHEN 0 THEN interval '1 day' ELSE -n * interval '1 second' END
         FROM ada, generate_series(0, $1) AS n",
    )
    .bind(tokens)
    .execute(&pool)
    .await
    .unwrap();
    (database, pool)
}

async fn tokens(pool: &PgPool) -> i64 {
    count(pool, "SELECT count(*) FROM access_tokens").await
}

fn is_logged(service: &Service, message: &str) -> bool {
    service.log().iter().any(|line| line["message"] == message)
}

/// The sizes of the batches of expired tokens that a service has removed.
fn batches(service: &Service) -> Vec<i64> {
    let log = service.log();
    let batches = log
        .iter()
        .filter(|line| line["message"] == "removed expired tokens");
    batches
        .map(|line| line["removed"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn expired_tokens_are_removed_in_batches_also_behind_pgbouncer() {
    for has_pooler in [false, true] {
        let (database, pool) = database_with_expired(2500).await;
        let pooler = has_pooler.then(|| PgBouncer::start(""));
        let url = pooler
            .as_ref()
            .map_or_else(|| database.url(), |pooler| pooler.url(&database));
        let setting = (
            "DATABASE_PGBOUNCER",
            if has_pooler { "true" } else { "false" },
        );
        let service = Service::start(&url, &[UNCACHED, setting]).await;
        eventually("only the valid token is left", async || {
            tokens(&pool).await == 1
        })
        .await;
        eventually("the batches are logged", async || {
            batches(&service) == [1000, 1000, 500]
        })
        .await;
    }
}

#[tokio::test]
async fn one_instance_at_a_time_does_the_upkeep() {
    let (database, pool) = database_with_expired(10).await;
    let mut other = pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(backend::startup::UPKEEP_LOCK)
        .execute(&mut *other)
        .await
        .unwrap();
    let first = Service::start(&database.url(), &[UNCACHED, DEBUG]).await;
    eventually("it finds the lock held", async || {
        is_logged(&first, "another instance does the upkeep")
    })
    .await;
    assert_eq!(tokens(&pool).await, 11);
    // The lock of an instance that is gone is free.
    other.rollback().await.unwrap();
    let second = Service::start(&database.url(), &[UNCACHED, DEBUG]).await;
    eventually("the second one works", async || tokens(&pool).await == 1).await;
    eventually("the batch is logged", async || batches(&second) == [10]).await;
    assert!(batches(&first).is_empty());
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually("no lock stays behind", async || {
        count(&pool, locks).await == 0
    })
    .await;
}

#[tokio::test]
async fn a_process_that_ends_rolls_back_a_batch_that_cannot_end_in_time() {
    let (database, pool) = database_with_expired(10).await;
    // The batch waits for this lock, so that it is under way when the process is told to end.
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE access_tokens IN SHARE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let environment = [
        UNCACHED,
        ("DATABASE_LOCK_TIMEOUT", "60"),
        ("DATABASE_STATEMENT_TIMEOUT", "60"),
    ];
    let mut service = Service::start(&database.url(), &environment).await;
    let batch = "DELETE FROM access_tokens";
    database.until_statements_wait(1, batch).await;
    service.signal("TERM");
    assert!(service.wait().await.success());
    // The server notices the lost client only when the statement has the lock.
    lock.rollback().await.unwrap();
    let locks = "SELECT count(*) FROM pg_locks WHERE relation = 'access_tokens'::regclass";
    eventually("the statement has ended", async || {
        count(&pool, locks).await == 0
    })
    .await;
    assert_eq!(tokens(&pool).await, 11, "the batch is rolled back");
}
