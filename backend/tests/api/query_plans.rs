//! On 100 000 widgets no query scans a table where an index can serve.
//!
//! The statements are those that the service sends, taken from the prepared data in `.sqlx`.
//!
//! Come here when a new statement scans a table: it needs an index, or an exception with its reason.

use serde_json::Value;
use sqlx::{Executor, PgPool};

use crate::support::database::TestDatabase;

/// The statements of the service, as their prepared data in `.sqlx` holds them.
fn statements() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../.sqlx");
    let mut statements = Vec::new();
    for file in std::fs::read_dir(directory).expect("the query data") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("its text");
        let data: Value = serde_json::from_str(&text).expect("query data");
        statements.push(data["query"].as_str().expect("a statement").to_owned());
    }
    statements
}

fn statement(containing: &[&str]) -> String {
    let found: Vec<_> = statements()
        .into_iter()
        .filter(|statement| containing.iter().all(|part| statement.contains(part)))
        .collect();
    assert_eq!(
        found.len(),
        1,
        "{containing:?} names one statement: {found:#?}"
    );
    found.into_iter().next().expect("one")
}

/// Every node of the plan: its kind, table and index.
fn nodes(plan: &Value, found: &mut Vec<(String, String, String)>) {
    let text = |name: &str| plan[name].as_str().unwrap_or_default().to_owned();
    found.push((text("Node Type"), text("Relation Name"), text("Index Name")));
    for child in plan["Plans"].as_array().into_iter().flatten() {
        nodes(child, found);
    }
}

async fn explain(pool: &PgPool, statement: &str, arguments: &str) -> Vec<(String, String, String)> {
    let mut connection = pool.acquire().await.expect("a connection");
    let prepare = format!("PREPARE explained AS {statement}");
    connection
        .execute(sqlx::AssertSqlSafe(prepare))
        .await
        .expect("a statement");
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE explained{arguments}");
    let plan: Value = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
        .fetch_one(&mut *connection)
        .await
        .expect("a plan");
    connection
        .execute("DEALLOCATE explained")
        .await
        .expect("an end");
    let mut found = Vec::new();
    nodes(&plan[0]["Plan"], &mut found);
    found
}

/// A database with 1 000 users, 100 000 widgets and 20 000 tokens.
async fn filled() -> (TestDatabase, PgPool) {
    let database = TestDatabase::migrated().await;
    let pool = database.pool().await;
    pool.execute(
        "INSERT INTO users (username, email, name, password_hash, created_at)
             SELECT 'user_' || n, 'user_' || n || '@example.com', 'User ' || n, '', now() - n * interval '1 minute'
             FROM generate_series(1, 1000) AS n;
         INSERT INTO widgets (owner_id, name, description, created_at)
             SELECT 1 + n % 1000, 'Widget ' || n, md5(n::text), now() - n * interval '1 second'
             FROM generate_series(1, 100000) AS n;
         INSERT INTO access_tokens (token_hash, user_id, created_at, expires_at)
             SELECT sha256(n::text::bytea), 1 + n % 1000, now() - n * interval '1 second', now() + interval '1 day'
             FROM generate_series(1, 20000) AS n",
    )
    .await
    .unwrap();
    for table in ["users", "widgets", "access_tokens"] {
        pool.execute(sqlx::AssertSqlSafe(format!("VACUUM ANALYZE {table}")))
            .await
            .unwrap();
    }
    (database, pool)
}

/// Each query: a statement by its parts, arguments, and the index that serves it.
async fn check(pool: &PgPool, queries: Vec<(Vec<&str>, &str, &str)>) {
    for (parts, arguments, index) in queries {
        let found = explain(pool, &statement(&parts), arguments).await;
        assert!(
            found.iter().any(|(_, _, used)| used == index),
            "{parts:?} does not use {index}: {found:#?}"
        );
        let scans: Vec<_> = found
            .iter()
            .filter(|(kind, table, _)| kind == "Seq Scan" && table != "users")
            .collect();
        assert!(scans.is_empty(), "{parts:?} scans: {found:#?}");
    }
}

#[tokio::test]
async fn no_query_scans_a_table_where_an_index_can_serve() {
    let (_database, pool) = filled().await;
    let page = "LIMIT $1 OFFSET $2";
    let queries = vec![
        (
            vec!["FROM widgets JOIN users", "description,", "widgets.id = $1"],
            "(5)",
            "widgets_pkey",
        ),
        (vec!["SELECT owner_id, username"], "(5)", "widgets_pkey"),
        (
            vec!["AS page", "JOIN users ON users.id = owner_id", page],
            "(10, 0)",
            "widgets_newest",
        ),
        (
            vec!["found AS MATERIALIZED"],
            "('%dget 777%', 10, 0)",
            "widgets_search",
        ),
        (
            vec!["widgets.id = ANY($1)"],
            "(ARRAY[5, 6, 7]::bigint[])",
            "widgets_pkey",
        ),
        (
            vec!["owner_id = users.id", "username = $1"],
            "('user_7')",
            "widgets_newest_by_owner",
        ),
        (
            vec!["FROM widgets JOIN users", "LIMIT $2 OFFSET $3"],
            "(7, 10, 0)",
            "widgets_newest_by_owner",
        ),
        (
            vec!["SELECT count(*) AS \"count!\" FROM widgets"],
            "",
            "widgets_present",
        ),
        (
            vec!["UPDATE widgets", "coalesce($2"],
            "(5, 'x', false, NULL)",
            "widgets_pkey",
        ),
        (
            vec!["UPDATE widgets SET deleted_at", "owner_id = $1"],
            "(5)",
            "widgets_newest_by_owner",
        ),
        (
            vec!["SELECT id, username, name AS \"name!\", created_at FROM users"],
            "('user_7')",
            "users_username_unique",
        ),
        (
            vec!["username = $1 OR email = $1"],
            "('user_7')",
            "users_email_unique",
        ),
        (
            vec!["FROM users", "ORDER BY created_at DESC, id DESC", page],
            "(10, 0)",
            "users_newest",
        ),
    ];
    check(&pool, queries).await;
}

#[tokio::test]
async fn no_query_of_sessions_and_of_the_upkeep_scans_a_table_where_an_index_can_serve() {
    let (_database, pool) = filled().await;
    let queries = vec![
        (
            vec!["FROM access_tokens JOIN users"],
            "('\\x00')",
            "access_tokens_pkey",
        ),
        (
            vec!["UPDATE access_tokens SET last_used_at"],
            "('\\x00')",
            "access_tokens_pkey",
        ),
        (
            vec!["SELECT id, created_at, last_used_at", "FROM access_tokens"],
            "(7, 10, 0)",
            "access_tokens_newest_by_user",
        ),
        (
            vec!["SELECT count(*) AS \"count!\" FROM access_tokens"],
            "(7)",
            "access_tokens_newest_by_user",
        ),
        (
            vec!["DELETE FROM access_tokens WHERE id = $1"],
            "(7, 7)",
            "access_tokens_id_unique",
        ),
        (
            vec!["DELETE FROM access_tokens WHERE user_id = $1", "<> $2"],
            "(7, '\\x00')",
            "access_tokens_newest_by_user",
        ),
        (
            vec![
                "DELETE FROM access_tokens",
                "expires_at <= now() ORDER BY expires_at",
            ],
            "(1000)",
            "access_tokens_expired",
        ),
        (
            vec!["UPDATE users SET email = NULL"],
            "(30, 50)",
            "users_to_erase",
        ),
    ];
    check(&pool, queries).await;
}
