//! The database drill: faults of a database, and of the network on the way to it, under load. Each test prints a row:
//! requests that failed, requests that hung, the slowest request, and the time until all succeed again.
//!
//! Come here for a new fault. `./scripts/test resilience database --no-capture` shows the table.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection};

use crate::database_drill::{Drill, Outcome};
use crate::figures::soaking;
use crate::support::database::TestDatabase;
use crate::support::postgres::Postgres;
use crate::support::proxy::{Mode, Proxy};
use crate::support::{eventually, unique, variable};

/// The duration of a fault: longer than the deadline of a statement.
fn duration() -> Duration {
    Duration::from_millis(if soaking() { 10_000 } else { 2500 })
}

fn server_port() -> u16 {
    let server = reqwest::Url::parse(&variable("TEST_DATABASE_URL")).unwrap();
    server.port().unwrap()
}

/// Executes statements in the database, or in another one of the server for `None`.
async fn execute(database: Option<&TestDatabase>, sql: String) {
    let url = database.map_or_else(|| variable("TEST_DATABASE_URL"), TestDatabase::url);
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
}

/// A fault of the network on the way to the database. With `is_noticed` readiness must report it.
async fn drill_network(name: &str, mode: Mode, is_noticed: bool) -> Outcome {
    let database = TestDatabase::create().await;
    let proxy = Proxy::start(server_port()).await;
    let (drill, tasks) = Drill::start(&database.url_through(Some(proxy.port))).await;
    let began = Instant::now();
    proxy.set(mode);
    if is_noticed {
        eventually("readiness is 503", async || drill.readiness().await == 503).await;
    }
    // The rest of the fault.
    tokio::time::sleep(duration().saturating_sub(began.elapsed())).await;
    proxy.set(Mode::Pass);
    let outcome = drill.finish(tasks, began, Instant::now()).await;
    outcome.check(name);
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_hangs_when_the_database_stops_responding() {
    let outcome = drill_network("silent", Mode::Stall, true).await;
    assert!(outcome.reads_failed > 0, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_hangs_when_the_network_drops_all_packets() {
    let outcome = drill_network("dropped", Mode::Forget, true).await;
    assert!(outcome.reads_failed > 0, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_hangs_when_connections_are_refused() {
    let outcome = drill_network("refused", Mode::Refuse, true).await;
    assert!(outcome.reads_failed > 0, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_hangs_when_answers_are_cut() {
    drill_network("cut", Mode::CutAnswers, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_when_answers_are_late() {
    let delay = Mode::Delay(Duration::from_millis(50));
    let outcome = drill_network("late by 50 ms", delay, false).await;
    assert_eq!(
        outcome.reads_failed + outcome.writes_failed,
        0,
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_connections_leave_the_pool() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::start(server_port()).await;
    let (drill, tasks) = Drill::start(&database.url_through(Some(proxy.port))).await;
    let began = Instant::now();
    // New connections work. The open ones are dead, without any sign of it.
    proxy.set_for_open(Mode::Forget);
    let outcome = drill.finish(tasks, began, began).await;
    outcome.check("open connections dropped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_fails_when_connections_are_terminated() {
    let database = TestDatabase::create().await;
    let (drill, tasks) = Drill::start(&database.url()).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        execute(Some(&database), terminate.to_owned()).await;
        // The pace of the fault.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let outcome = drill.finish(tasks, began, Instant::now()).await;
    outcome.check("terminated");
    assert_eq!(outcome.reads_failed, 0, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_fails_when_the_server_restarts() {
    let server = Postgres::start();
    let (drill, tasks) = Drill::start(&Postgres::url(server.port)).await;
    let began = Instant::now();
    let server = tokio::task::spawn_blocking(move || {
        server.stop();
        server.start_again();
        server
    })
    .await
    .unwrap();
    // Readiness is correct at once.
    assert_eq!(drill.readiness().await, 200);
    let outcome = drill.finish(tasks, began, Instant::now()).await;
    outcome.check("restarted");
    assert!(outcome.reads_failed <= 1, "{outcome:?}");
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_a_read_only_server_fails_writes_and_leaves_no_such_connection() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::start(server_port()).await;
    let (drill, tasks) = Drill::start(&database.url_through(Some(proxy.port))).await;
    let name = database.name();
    let began = Instant::now();
    // For connections that are opened from now on.
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    execute(None, read_only).await;
    proxy.kill_connections();
    eventually("readiness is 503", async || drill.readiness().await == 503).await;
    // The rest of the fault: writes go on failing.
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Earlier connections stay read-only until the service closes them.
    let reset = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    execute(None, reset).await;
    let outcome = drill.finish(tasks, began, Instant::now()).await;
    outcome.check("read-only");
    assert!(outcome.writes_failed > 0, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_hangs_when_the_server_has_no_connection_left() {
    let database = TestDatabase::create().await;
    let (name, role) = (database.name().to_owned(), unique("role"));
    let owner = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'secret'; ALTER DATABASE {name} OWNER TO {role}; ALTER SCHEMA public OWNER TO {role}"
    );
    execute(Some(&database), owner).await;
    let proxy = Proxy::start(server_port()).await;
    let mut url = reqwest::Url::parse(&database.url_through(Some(proxy.port))).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("secret")).unwrap();
    let (drill, tasks) = Drill::start(url.as_str()).await;
    let began = Instant::now();
    execute(
        Some(&database),
        format!("ALTER ROLE {role} CONNECTION LIMIT 1"),
    )
    .await;
    proxy.kill_connections();
    // The duration of the fault.
    tokio::time::sleep(duration()).await;
    execute(
        Some(&database),
        format!("ALTER ROLE {role} CONNECTION LIMIT -1"),
    )
    .await;
    let outcome = drill.finish(tasks, began, Instant::now()).await;
    outcome.check("too many connections");
    drop(drill);
    execute(
        Some(&database),
        format!("REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"),
    )
    .await;
}
