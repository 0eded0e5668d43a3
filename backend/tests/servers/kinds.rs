//! Servers of another kind than the settings say (C60): the program does not start, and one that runs does not trust them.
//!
//! Come here after changing how the kind of a server is recognised.

use std::process::Output;

use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::addresses::ITEM;
use crate::harness::{Harness, Log, get, settings};
use crate::support::database::TestDatabase;
use crate::support::eventually;
use crate::support::proxy::Proxy;
use crate::support::server::{Kind, Server, free_port};
use crate::support::service::command;

/// A node of a Redis Cluster, without slots.
fn cluster_node() -> Server {
    // Without a port of its own the bus takes the server's plus 10 000, which may be that of a connection.
    let bus = free_port().to_string();
    let arguments = ["--cluster-enabled", "yes", "--cluster-port", &bus];
    Server::start_with(Kind::Redis, &arguments)
}

/// Runs the program with one argument, or none, on the server at this port. It ends by itself.
async fn run(port: u16, arguments: &[&str]) -> Output {
    let database = TestDatabase::migrated().await;
    let (port, url) = (port.to_string(), database.url());
    let environment = [
        ("CACHE_REDIS_PORT", port.as_str()),
        ("CACHE_OPERATION_TIMEOUT_MS", "5000"),
        ("DATABASE_URL", url.as_str()),
        ("SERVER_PORT", "0"),
    ];
    let mut program = command(&environment);
    program.args(arguments);
    let ended = tokio::task::spawn_blocking(move || program.output().expect("the binary"));
    ended.await.expect("no panic")
}

const REFUSAL: &str =
    "the server is a node of a Redis Cluster; use CACHE_REDIS_MODE=cluster with CACHE_REDIS_NODES";

#[actix_web::test]
async fn c60_the_program_does_not_start_on_a_node_of_a_cluster_and_says_what_to_use() {
    let node = cluster_node();
    let output = run(node.port, &[]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(REFUSAL), "{said}");
    let output = run(node.port, &["check"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| line.contains(" cache "));
    let line = line.unwrap_or_else(|| panic!("{output:?}"));
    assert!(
        line.starts_with("failed") && line.contains(REFUSAL),
        "{line}"
    );
}

#[actix_web::test]
async fn c60_a_node_of_a_cluster_that_takes_the_place_of_the_server_is_not_trusted() {
    let server = Server::start(Kind::Redis);
    let proxy = Proxy::start(server.port).await;
    let log = Log::collect();
    let harness = Harness::with_settings(CacheSettings {
        cache_redis_port: proxy.port,
        ..settings(CacheBackendKind::Redis)
    })
    .await;
    let app = harness.numbered_app(ITEM).await;
    eventually("it is cached", async || get(&app, "/1").await.is_hit()).await;
    let node = cluster_node();
    proxy.lead_to(node.port);
    proxy.kill_connections();
    eventually("it is in the log", async || {
        assert_eq!(get(&app, "/1").await.status, 200);
        !log.lines_with(&["Cache backend not available", REFUSAL])
            .is_empty()
    })
    .await;
    for _ in 0..20 {
        assert!(!get(&app, "/1").await.is_hit());
    }
}
