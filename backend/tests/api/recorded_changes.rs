//! What the triggers record for the cache, for each change that somebody could make by hand (C53).
//!
//! Come here after changing a trigger, or adding a column to a table that has one. That the records are delivered, and what they
//! end, is tested in `tests/resilience/feed.rs`.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use crate::support::database::TestDatabase;

/// The columns that a trigger for changes does not look at: they show in no answer that its records end.
const UNSEEN: &[(&str, &[&str])] = &[
    ("users_updated", &["password_hash", "rights_version"]),
    (
        "widget_owners_updated",
        &[
            "created_at",
            "email",
            "id",
            "is_superuser",
            "name",
            "password_hash",
            "rights_version",
            "updated_at",
        ],
    ),
];

/// The triggers that record changes of rows, each with its definition and the columns of its table.
const TRIGGERS: &str = "SELECT tgname::text, pg_get_triggerdef(pg_trigger.oid),
           ARRAY(SELECT attname::text FROM pg_attribute
                 WHERE attrelid = tgrelid AND attnum > 0 AND NOT attisdropped ORDER BY attname)
    FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE NOT tgisinternal AND tgtype & 16 <> 0 AND prosrc LIKE '%INSERT INTO cache_changes%'";

#[tokio::test]
async fn c53_a_trigger_looks_at_every_column_but_those_that_show_in_no_answer() {
    let database = TestDatabase::migrated().await;
    let triggers = database.pool().await.fetch_all(TRIGGERS).await.unwrap();
    let is_there = |name: &str| triggers.iter().any(|it| it.get::<&str, _>(0) == name);
    for (name, _) in UNSEEN {
        assert!(is_there(name), "there is no trigger {name} any more");
    }
    for trigger in triggers {
        let (name, definition): (String, String) = (trigger.get(0), trigger.get(1));
        let columns: Vec<String> = trigger.get(2);
        // Without a condition it records every change.
        let is_conditional = definition.contains(" WHEN (") || definition.contains(" UPDATE OF ");
        let is_seen = |column: &str| {
            !is_conditional
                || ["*", column].iter().any(|seen| {
                    [",", ")", " "]
                        .iter()
                        .any(|end| definition.contains(&format!("old.{seen}{end}")))
                })
        };
        let unseen: Vec<&str> = columns
            .iter()
            .map(String::as_str)
            .filter(|column| !is_seen(column))
            .collect();
        let expected = UNSEEN.iter().find(|(known, _)| *known == name);
        assert_eq!(
            unseen,
            expected.map_or(&[][..], |(_, columns)| columns),
            "{name} does not look at these columns: a change of them leaves answers stale; those that show in no answer are listed in UNSEEN"
        );
    }
}

/// Makes a change, and returns what was recorded of it, in the order of the kinds.
async fn recorded(connection: &mut PgConnection, change: &str) -> Vec<Value> {
    connection
        .execute("DELETE FROM cache_changes")
        .await
        .unwrap();
    connection
        .execute(AssertSqlSafe(change.to_owned()))
        .await
        .unwrap_or_else(|error| panic!("{change}: {error}"));
    let rows = connection
        .fetch_all("SELECT jsonb_build_array(kind, arguments) FROM cache_changes ORDER BY kind, arguments::text")
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn of_user(names: &[&str]) -> Value {
    json!(["users", {"user_id": ["1"], "username": names}])
}

fn of_widget(kind: &str, owners: &[&str]) -> Value {
    json!([kind, {"widget_id": ["1"], "owner": owners}])
}

fn of_owner(names: &[&str]) -> Value {
    json!(["widget_owners", {"owner": names}])
}

#[tokio::test]
async fn c53_each_change_by_hand_is_recorded_with_its_old_and_its_new_values() {
    let database = TestDatabase::migrated().await;
    let mut connection = database.pool().await.acquire().await.unwrap().detach();
    let steps = [
        (
            "INSERT INTO users (username, email, name, password_hash) VALUES ('ada', 'ada@example.com', 'Ada', '-')",
            vec![of_user(&["ada"])],
        ),
        (
            "INSERT INTO widgets (owner_id, name) VALUES (1, 'cog')",
            vec![of_widget("widgets", &["ada"])],
        ),
        (
            "UPDATE widgets SET name = 'wheel'",
            vec![of_widget("widget_contents", &["ada"])],
        ),
        ("UPDATE widgets SET name = name", vec![]),
        (
            "UPDATE users SET name = 'Countess'",
            vec![of_user(&["ada"])],
        ),
        ("UPDATE users SET password_hash = '+'", vec![]),
        (
            "UPDATE users SET username = 'lovelace'",
            vec![
                of_user(&["ada", "lovelace"]),
                of_widget("widget_contents", &["ada", "lovelace"]),
                of_owner(&["ada", "lovelace"]),
            ],
        ),
        (
            "INSERT INTO users (username, email, name, password_hash) VALUES ('grace', 'grace@example.com', 'Grace', '-')",
            vec![json!(["users", {"user_id": ["2"], "username": ["grace"]}])],
        ),
        (
            "UPDATE widgets SET owner_id = 2",
            vec![of_widget("widget_contents", &["grace", "lovelace"])],
        ),
        (
            "UPDATE widgets SET deleted_at = now()",
            vec![of_widget("widgets", &["grace"])],
        ),
        (
            "UPDATE widgets SET deleted_at = NULL, owner_id = 1",
            vec![of_widget("widgets", &["grace", "lovelace"])],
        ),
        (
            "DELETE FROM widgets",
            vec![of_widget("widgets", &["lovelace"])],
        ),
        (
            "UPDATE users SET deleted_at = now() WHERE id = 1",
            vec![of_user(&["lovelace"]), of_owner(&["lovelace"])],
        ),
        (
            "UPDATE users SET deleted_at = NULL WHERE id = 1",
            vec![of_user(&["lovelace"]), of_owner(&["lovelace"])],
        ),
        (
            "DELETE FROM users WHERE id = 1",
            vec![of_user(&["lovelace"]), of_owner(&["lovelace"])],
        ),
        ("TRUNCATE widgets", vec![json!(["widgets", null])]),
        (
            "TRUNCATE users CASCADE",
            vec![json!(["users", null]), json!(["widgets", null])],
        ),
    ];
    for (change, expected) in steps {
        let mut found = recorded(&mut connection, change).await;
        // A module of one's own may have rows that end with their users.
        found.retain(|row| {
            let kind = row[0].as_str().unwrap();
            kind == "users" || kind.starts_with("widget")
        });
        assert_eq!(found, expected, "{change}");
    }
}
