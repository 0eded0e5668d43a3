//! The roles of `deploy/postgres/roles.sql`: one that owns the tables, and one that can only read and write rows.
//!
//! Come here when the service needs another right in its database. A role that is made in another way is in `tables`.

use std::path::Path;
use std::process::Command;

use reqwest::{Method, Url};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};

use crate::starting::run;
use crate::support::service::{PASSWORD, Service};
use crate::support::{eventually, unique, variable};

/// A database with both roles, made by the file and dropped with this value.
struct Roles {
    database: String,
    owner: String,
    service: String,
}

impl Roles {
    fn create() -> Self {
        let roles = Self {
            database: unique("test"),
            owner: unique("owner"),
            service: unique("service"),
        };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/postgres/roles.sql");
        let mut psql = psql();
        for (name, value) in [
            ("database", &roles.database),
            ("owner", &roles.owner),
            ("service", &roles.service),
        ] {
            psql.arg("-v").arg(format!("{name}={value}"));
        }
        let output = psql
            .env("POSTGRES_OWNER_PASSWORD", "the owner's")
            .env("POSTGRES_SERVICE_PASSWORD", "the service's")
            .arg("-f")
            .arg(file)
            .output()
            .expect("psql");
        assert!(output.status.success(), "{output:?}");
        roles
    }

    fn url(&self, role: &str) -> String {
        let mut url = Url::parse(&variable("TEST_DATABASE_URL")).expect("a URL");
        let password = if role == self.owner {
            "the owner's"
        } else {
            "the service's"
        };
        url.set_path(&self.database);
        url.set_username(role).expect("a username");
        url.set_password(Some(password)).expect("a password");
        url.to_string()
    }

    async fn connect(&self, role: &str) -> PgConnection {
        PgConnection::connect(&self.url(role))
            .await
            .expect("the database")
    }

    fn migrate(&self) {
        let output = run(
            &[("DATABASE_URL", &self.url(&self.owner))],
            &["migrate"],
            "",
        );
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        let Self {
            database,
            owner,
            service,
        } = self;
        let dropped = psql()
            .args([
                "-c",
                &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"),
            ])
            .args(["-c", &format!("DROP ROLE IF EXISTS {owner}, {service}")])
            .output();
        assert!(dropped.is_ok_and(|output| output.status.success()) || std::thread::panicking());
    }
}

fn psql() -> Command {
    let mut psql = Command::new(format!("{}/psql", variable("TEST_POSTGRES_BIN")));
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"])
        .args(["-d", &format!("{}/postgres", server())]);
    psql
}

/// The address of the server, without a database.
fn server() -> String {
    let mut url = Url::parse(&variable("TEST_DATABASE_URL")).expect("a URL");
    url.set_path("");
    url.to_string().trim_end_matches('/').to_owned()
}

async fn code(connection: &mut PgConnection, sql: &str) -> Option<String> {
    let error = connection
        .execute(AssertSqlSafe(sql.to_owned()))
        .await
        .err()?;
    Some(error.as_database_error()?.code()?.into_owned())
}

#[tokio::test]
async fn a_role_that_can_only_read_and_write_rows_serves_with_the_database_feed() {
    let roles = Roles::create();
    roles.migrate();
    let namespace = unique("test");
    let environment = [
        ("DATABASE_AUTO_MIGRATE", "false"),
        ("CACHE_DATABASE_FEED", "true"),
        ("CACHE_NAMESPACE", namespace.as_str()),
        ("CACHE_OPERATION_TIMEOUT_MS", "5000"),
        ("ADMIN_USERNAME", "admin"),
        ("ADMIN_EMAIL", "admin@example.com"),
        ("ADMIN_PASSWORD", PASSWORD),
    ];
    let service = Service::start(&roles.url(&roles.service), &environment).await;
    let ready = service.request(Method::GET, "/health/ready");
    service.send(ready).await.expect(200);

    let admin = service.sign_in("admin", PASSWORD).await;
    let ada = service.new_user("ada").await;
    let widget = service.new_widget(&ada, "first").await;
    let path = format!("/widgets/{widget}");
    service
        .patch(&ada, &path, json!({"name": "second"}))
        .await
        .expect(200);
    for _ in 0..2 {
        assert_eq!(service.get(&path).await.json()["name"], "second");
    }

    // A change by hand is recorded by the triggers and delivered by the feed.
    let mut owner = roles.connect(&roles.owner).await;
    owner
        .execute(AssertSqlSafe(format!(
            "UPDATE widgets SET name = 'third' WHERE id = {widget}"
        )))
        .await
        .unwrap();
    eventually("the change by hand is seen", async || {
        service.get(&path).await.json()["name"] == "third"
    })
    .await;
    let reader = PgPool::connect(&roles.url(&roles.service)).await.unwrap();
    eventually("the rows of the feed are deleted", async || {
        let rows = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM cache_changes");
        rows.fetch_one(&reader).await.unwrap() == 0
    })
    .await;

    service.delete(&ada, &path).await.expect(204);
    service
        .post(&ada, "/auth/logout", json!({}))
        .await
        .expect(204);
    service.delete(&admin, "/users/ada").await.expect(204);
    let log = serde_json::to_string(&service.log()).unwrap();
    assert!(!log.contains("permission denied"), "{log}");
}

#[tokio::test]
async fn the_role_of_the_service_can_change_no_table() {
    let roles = Roles::create();
    roles.migrate();
    let mut connection = roles.connect(&roles.service).await;
    for forbidden in [
        "CREATE TABLE mine (id bigint)",
        "CREATE TEMPORARY TABLE mine (id bigint)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE widgets ADD COLUMN mine text",
        "ALTER TABLE cache_changes DISABLE TRIGGER ALL",
        "DROP TABLE widgets",
        "TRUNCATE widgets",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
    ] {
        let refusal = code(&mut connection, forbidden).await;
        assert_eq!(refusal.as_deref(), Some("42501"), "{forbidden}");
    }
}

#[tokio::test]
async fn the_owner_is_no_superuser_and_owns_one_database_that_others_cannot_enter() {
    let roles = Roles::create();
    let mut connection = roles.connect(&roles.owner).await;
    let is_plain: bool = sqlx::query_scalar(
        "SELECT NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
         FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert!(is_plain);
    let owned: Vec<String> = sqlx::query_scalar(
        "SELECT datname::text FROM pg_database WHERE pg_get_userbyid(datdba) = current_user",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(owned, [roles.database.as_str()]);
    let stranger = Roles::create();
    let mut url = Url::parse(&stranger.url(&stranger.owner)).unwrap();
    url.set_path(&roles.database);
    let refusal = PgConnection::connect(url.as_str()).await.err();
    let refusal = refusal
        .as_ref()
        .and_then(|error| error.as_database_error()?.code());
    assert_eq!(refusal.as_deref(), Some("42501"));
}
