//! `PgBouncer` in transaction mode: correct answers with `DATABASE_PGBOUNCER`, and no start without it.
//!
//! Come here for faults by a pooler between the service and `PostgreSQL`.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::starting::{errors, run};
use crate::support::database::TestDatabase;
use crate::support::pgbouncer::PgBouncer;
use crate::support::proxy::Proxy;
use crate::support::service::Service;
use crate::support::{eventually, variable};

const UNCACHED: (&str, &str) = ("CACHE_ENABLED", "false");
const POOLER: (&str, &str) = ("DATABASE_PGBOUNCER", "true");
/// Parameters that a pooler drops instead of refusing the connection.
const DROPS: &str = "ignore_startup_parameters = extra_float_digits, options";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_pgbouncer_every_answer_is_the_right_one() {
    let database = TestDatabase::migrated().await;
    let pooler = PgBouncer::start("");
    let url = pooler.url(&database);
    let services = Arc::new([
        Service::start(&url, &[UNCACHED, POOLER]).await,
        Service::start(&url, &[UNCACHED, POOLER]).await,
    ]);
    let mut tokens = Vec::new();
    for owner in 0..4 {
        let token = services[0].new_user(&format!("owner_{owner}")).await;
        for number in 0..=owner {
            services[1]
                .new_widget(&token, &format!("{owner} {number}"))
                .await;
        }
        tokens.push(token);
    }
    let tokens = Arc::new(tokens);
    let mut tasks = JoinSet::new();
    for task in 0..16_usize {
        let (services, tokens) = (Arc::clone(&services), Arc::clone(&tokens));
        tasks.spawn(async move {
            for round in 0..20 {
                let (service, owner) = (&services[round % 2], (task + round) % 4);
                let username = format!("owner_{owner}");
                let list = service.get(&format!("/users/{username}/widgets")).await;
                let list = list.expect(200).json();
                assert_eq!(list["total_count"], owner + 1, "{list}");
                for widget in list["data"].as_array().unwrap() {
                    assert_eq!(widget["owner"], username, "{list}");
                }
                let me = service
                    .get_as(&tokens[owner], "/users/me")
                    .await
                    .expect(200)
                    .json();
                assert_eq!(me["username"], username);
                let name = format!("name {task} {round}");
                let path = format!("/users/{username}");
                let change = service
                    .patch(&tokens[owner], &path, json!({"name": name}))
                    .await;
                assert_eq!(change.expect(200).json()["name"], name);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn a_pooler_that_the_settings_do_not_name_is_refused_at_the_start() {
    let database = TestDatabase::migrated().await;
    for settings in ["", DROPS] {
        let pooler = PgBouncer::start(settings);
        let url = pooler.url(&database);
        for migrates in ["true", "false"] {
            let environment = [
                ("DATABASE_URL", url.as_str()),
                ("DATABASE_AUTO_MIGRATE", migrates),
                ("SERVER_PORT", "0"),
                ("LOG_LEVEL", "off"),
                UNCACHED,
            ];
            let lines = errors(&run(&environment, &[], ""));
            assert!(
                lines.len() == 1 && lines[0].contains("set DATABASE_PGBOUNCER=true"),
                "{lines:#?}"
            );
        }
    }
}

#[tokio::test]
async fn a_pooler_that_appears_later_gives_503_and_never_a_wrong_answer() {
    let database = TestDatabase::migrated().await;
    let server = reqwest::Url::parse(&variable("TEST_DATABASE_URL")).unwrap();
    let server = server.port().unwrap();
    let pooler = PgBouncer::start(DROPS);
    let pooler = reqwest::Url::parse(&pooler.url(&database)).unwrap();
    let proxy = Proxy::start(server).await;
    let url = database.url_through(Some(proxy.port));
    let service = Service::start(&url, &[UNCACHED, ("DATABASE_CONNECT_TIMEOUT", "1")]).await;
    service.new_user("ada").await;
    proxy.lead_to(pooler.port().unwrap());
    proxy.kill_connections();
    for _ in 0..3 {
        service.get("/users/ada").await.expect(503);
    }
    let ready = service.request(Method::GET, "/health/ready");
    service.send(ready).await.expect(503);
    proxy.lead_to(server);
    eventually("the database is back", async || {
        service.get("/users/ada").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn migrations_are_not_run_through_a_pooler() {
    let database = TestDatabase::create().await;
    let pooler = PgBouncer::start("");
    let url = pooler.url(&database);
    let through = [("DATABASE_URL", url.as_str()), POOLER, UNCACHED];
    for command in ["serve", "migrate"] {
        let lines = errors(&run(&through, &[command], ""));
        assert!(
            lines.concat().contains("DATABASE_PGBOUNCER=false"),
            "{lines:#?}"
        );
    }
    let direct = database.url();
    assert!(
        run(&[("DATABASE_URL", &direct)], &["migrate"], "")
            .status
            .success()
    );
    assert!(
        run(&through, &["migrate"], "").status.success(),
        "nothing is left to migrate"
    );
}

#[tokio::test]
async fn behind_pgbouncer_statements_have_their_deadlines() {
    let database = TestDatabase::migrated().await;
    let pooler = PgBouncer::start("");
    let environment = [UNCACHED, POOLER, ("DATABASE_LOCK_TIMEOUT", "1")];
    let service = Service::start(&pooler.url(&database), &environment).await;
    service.new_user("ada").await;
    let lock = database.lock("users").await;
    let answer = service.get("/users/ada").await.expect(503);
    assert_ne!(answer.header("retry-after"), "");
    lock.rollback().await.unwrap();
    service.get("/users/ada").await.expect(200);
}
