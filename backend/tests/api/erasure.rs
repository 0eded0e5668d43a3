//! The erasure of accounts that were deleted long ago: what goes, what stays, and what is free again.
//!
//! Come here for what becomes of a deleted account. The deletion itself is in `users`. The time since a deletion is set in the
//! database; the first round of an instance comes at its start.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, PgPool};

use crate::starting::{errors, run};
use crate::support::database::{TestDatabase, count};
use crate::support::eventually;
use crate::support::service::{PASSWORD, Service, TestService};

type Stored = (Option<String>, Option<String>, Option<String>);

/// E-mail address, name and password hash, as the database has them.
async fn stored(pool: &PgPool, username: &str) -> Stored {
    let sql = "SELECT email, name, password_hash FROM users WHERE username = $1";
    let row = sqlx::query_as(sql).bind(username);
    row.fetch_one(pool).await.unwrap()
}

async fn deleted_days_ago(pool: &PgPool, username: &str, days: f64) {
    let sql = "UPDATE users SET deleted_at = now() - $2 * interval '1 day' WHERE username = $1";
    let update = sqlx::query(sql).bind(username).bind(days);
    update.execute(pool).await.unwrap();
}

fn erasures(service: &Service) -> Vec<Value> {
    let lines = service.log().into_iter();
    lines
        .filter(|line| line["event"] == "account_erased")
        .collect()
}

#[tokio::test]
async fn an_account_that_was_deleted_long_ago_loses_address_name_and_hash_and_keeps_its_username() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    let mut widget = 0;
    for username in ["ada", "bob", "cy"] {
        let token = service.new_user(username).await;
        widget = service.new_widget(&token, "cog").await;
        if username != "cy" {
            let path = format!("/users/{username}");
            service.delete(&token, &path).await.expect(204);
        }
    }
    let pool = service.database.pool().await;
    deleted_days_ago(&pool, "ada", 30.1).await;
    deleted_days_ago(&pool, "bob", 29.9).await;
    let other = Service::start(&service.database.url(), &[("CACHE_BACKEND", "memory")]).await;
    eventually("the account is erased", async || {
        stored(&pool, "ada").await == (None, None, None)
    })
    .await;
    eventually("the erasure is logged", async || {
        erasures(&other).len() == 1
    })
    .await;
    let line = &erasures(&other)[0];
    assert_eq!(line["account"], "ada");
    assert!(line["account_id"].is_i64(), "{line}");
    for name in ["by", "address", "request_id"] {
        assert!(line[name].is_null(), "{line}");
    }
    assert!(!line.to_string().contains('@'));
    for username in ["bob", "cy"] {
        let (email, name, hash) = stored(&pool, username).await;
        assert_eq!(email, Some(format!("{username}@example.com")));
        assert!(name.is_some() && hash.is_some());
    }
    // Nobody can sign in, and no answer shows the account.
    for name in ["ada", "ada@example.com"] {
        let login = json!({"username": name, "password": PASSWORD});
        service.post("", "/auth/login", login).await.expect(401);
    }
    service.get("/users/ada").await.expect(404);
    service.get("/users/ada/widgets").await.expect(404);
    let change = json!({"name": "Ada"});
    service
        .patch(&admin, "/users/ada", change)
        .await
        .expect(404);
    let users = service.get_as(&admin, "/users").await.expect(200).json();
    assert_eq!(users["total_count"], 2, "{users}");
    service.get(&format!("/widgets/{widget}")).await.expect(200);
    assert_eq!(service.get("/widgets/count").await.json()["count"], 1);
    // The address is free, the username is not.
    let sign_up = async |username: &str, email: &str| {
        let body =
            json!({"username": username, "email": email, "password": PASSWORD, "name": username});
        service.post("", "/users", body).await.status
    };
    assert_eq!(sign_up("ada", "a@example.com").await, 409);
    assert_eq!(sign_up("eve", "bob@example.com").await, 409);
    assert_eq!(sign_up("ada_2", "ada@example.com").await, 201);
    let login = json!({"username": "ada@example.com", "password": PASSWORD});
    service.post("", "/auth/login", login).await.expect(200);
}

#[tokio::test]
async fn an_account_that_is_not_erased_comes_back_with_the_widgets_that_were_deleted_with_it() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let early = format!("/widgets/{}", service.new_widget(&ada, "early").await);
    let late = format!("/widgets/{}", service.new_widget(&ada, "late").await);
    service.delete(&ada, &early).await.expect(204);
    service.delete(&ada, "/users/ada").await.expect(204);
    service.get("/users/ada").await.expect(404);
    let pool = service.database.pool().await;
    let page = include_str!("../../../docs/accounts.md");
    let (_, statements) = page.split_once("```sql\n").unwrap();
    let (statements, _) = statements.split_once("```").unwrap();
    pool.execute(AssertSqlSafe(statements.to_owned()))
        .await
        .unwrap();
    // A change by hand reaches the cache when the feed has delivered it.
    eventually("the account is back", async || {
        service.get("/users/ada").await.status == 200 && service.get(&late).await.status == 200
    })
    .await;
    service.get(&early).await.expect(404);
    service.get_as(&ada, "/users/me").await.expect(401);
    service.sign_in("ada", PASSWORD).await;
}

/// The code of a page that begins so, up to the end of its block.
fn code_from<'a>(page: &'a str, beginning: &str) -> &'a str {
    let position = page.find(beginning).expect(beginning);
    page[position..].split_once("```").unwrap().0
}

#[tokio::test]
async fn rows_of_a_module_stay_at_the_erasure_of_their_owner_and_go_with_it_by_the_trigger_of_the_page()
 {
    let database = TestDatabase::migrated().await;
    let pool = database.pool().await;
    let modules = include_str!("../../../docs/modules.md");
    let table = code_from(modules, "CREATE TABLE notes (");
    let accounts = include_str!("../../../docs/accounts.md");
    let trigger = code_from(accounts, "CREATE FUNCTION delete_notes_of_erased_account");
    let account = |username: &str| {
        format!(
            "WITH owner AS (
                 INSERT INTO users (username, email, name, password_hash, deleted_at)
                 VALUES ('{username}', '{username}@example.com', 'User', '', now() - interval '99 days') RETURNING id
             ) INSERT INTO notes (owner_id, text) SELECT id, 'tea' FROM owner"
        )
    };
    let erased = async |username: &str| {
        // Without a cache nobody takes what the triggers record.
        let _service = Service::start(&database.url(), &[("CACHE_ENABLED", "false")]).await;
        eventually("the account is erased", async || {
            stored(&pool, username).await == (None, None, None)
        })
        .await;
        count(&pool, "SELECT count(*) FROM notes").await
    };
    let run = async |sql: &str| pool.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    run(table).await;
    run(&account("ada")).await;
    assert_eq!(erased("ada").await, 1);
    run(trigger).await;
    run(&account("bob")).await;
    assert_eq!(
        erased("bob").await,
        1,
        "the note of bob has gone, that of ada stays"
    );
    let recorded =
        "SELECT count(*) FROM cache_changes WHERE kind = 'notes' AND arguments -> 'owner_id' = (
        SELECT jsonb_build_array(id::text) FROM users WHERE username = 'bob')";
    assert_eq!(
        count(&pool, recorded).await,
        2,
        "its insertion and its deletion"
    );
}

#[tokio::test]
async fn every_account_that_is_due_is_erased_in_batches_and_logged_once() {
    let database = TestDatabase::migrated().await;
    let pool = database.pool().await;
    sqlx::query(
        "INSERT INTO users (username, email, name, password_hash, deleted_at)
         SELECT 'user_' || n, n || '@example.com', 'User', '', now() - interval '3 days' FROM generate_series(1, 120) AS n",
    )
    .execute(&pool)
    .await
    .unwrap();
    let environment = [("CACHE_ENABLED", "false"), ("ACCOUNT_ERASURE_DAYS", "2")];
    let services = [
        Service::start(&database.url(), &environment).await,
        Service::start(&database.url(), &environment).await,
    ];
    eventually("all are erased", async || {
        count(&pool, "SELECT count(*) FROM users WHERE email IS NOT NULL").await == 0
    })
    .await;
    let lines = || services.iter().flat_map(erasures).collect::<Vec<_>>();
    eventually("all are logged", async || lines().len() >= 120).await;
    let lines = lines();
    let mut accounts: Vec<_> = lines.iter().map(|line| line["account"].as_str()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    assert_eq!((lines.len(), accounts.len()), (120, 120));
}

#[tokio::test]
async fn an_erased_account_cannot_come_back_and_survives_going_back_a_migration() {
    let database = TestDatabase::migrated().await;
    let pool = database.pool().await;
    sqlx::query(
        "INSERT INTO users (username, email, name, password_hash, deleted_at)
         VALUES ('ada', NULL, NULL, NULL, now())",
    )
    .execute(&pool)
    .await
    .unwrap();
    for change in [
        "UPDATE users SET deleted_at = NULL",
        "UPDATE users SET email = 'ada@example.com'",
    ] {
        let refused = sqlx::query(change).execute(&pool).await.unwrap_err();
        assert!(
            refused.to_string().contains("users_erased_whole"),
            "{refused}"
        );
    }
    let migrator = &backend::infrastructure::database::MIGRATOR;
    migrator.undo(&pool, 9).await.unwrap();
    let (email, name, _) = stored(&pool, "ada").await;
    assert!(email.unwrap().ends_with("@erased.invalid"));
    assert_eq!(name.as_deref(), Some("erased"));
}

#[test]
fn a_number_of_days_that_could_mean_never_is_refused() {
    for days in ["0", "-1", "never"] {
        let environment = [
            ("DATABASE_URL", "postgres://localhost/x"),
            ("ACCOUNT_ERASURE_DAYS", days),
        ];
        let lines = errors(&run(&environment, &["serve"], ""));
        assert!(
            lines.concat().contains("ACCOUNT_ERASURE_DAYS")
                && lines.concat().contains("1 to 36500"),
            "{lines:#?}"
        );
    }
}
