//! `backend migrate --to` and `--down`: what they say, what they refuse, and that each migration is taken back whole.
//!
//! Come here after adding a migration whose way back needs care.

use std::process::{Command, Output};

use backend::infrastructure::database::MIGRATOR;

use crate::starting::{errors, run};
use crate::support::database::TestDatabase;
use crate::support::variable;

/// `backend migrate` with options, on a database.
fn migrate(database: &TestDatabase, options: &[&str]) -> Output {
    let arguments = [&["migrate"], options].concat();
    run(&[("DATABASE_URL", &database.url())], &arguments, "")
}

#[track_caller]
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The numbers of the migrations, ascending.
fn numbers() -> Vec<i64> {
    let up = MIGRATOR
        .iter()
        .filter(|migration| !migration.migration_type.is_down_migration());
    up.map(|migration| migration.version).collect()
}

/// Everything in the database but its rows and the table of migrations.
fn schema(database: &TestDatabase) -> String {
    let output = Command::new(format!("{}/pg_dump", variable("TEST_POSTGRES_BIN")))
        .args(["--schema-only", "--exclude-table=_sqlx_migrations"])
        .arg(database.url())
        .output()
        .expect("pg_dump");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Newer versions write a random word around the dump.
    let lines = text.lines().filter(|line| !line.starts_with('\\'));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_migration_is_taken_back_whole_and_applied_again_alike() {
    let database = TestDatabase::create().await;
    for number in numbers() {
        let before = schema(&database);
        let to = number.to_string();
        said(&migrate(&database, &["--to", &to]));
        let after = schema(&database);
        let back = said(&migrate(&database, &["--down"]));
        assert!(
            back.starts_with(&format!("takes back {number} (")),
            "{back}"
        );
        assert_eq!(schema(&database), before, "after taking back {number}");
        let again = said(&migrate(&database, &["--to", &to]));
        assert!(again.starts_with(&format!("applies {number} (")), "{again}");
        assert_eq!(schema(&database), after, "after applying {number} again");
    }
}

#[tokio::test]
async fn a_number_leads_up_and_down_and_says_each_step_first() {
    let database = TestDatabase::create().await;
    let empty = schema(&database);
    let last = *numbers().last().unwrap();
    let up = said(&migrate(&database, &["--to", &last.to_string()]));
    assert_eq!(up.lines().count(), numbers().len(), "{up}");
    assert!(up.lines().all(|line| line.starts_with("applies ")), "{up}");
    let nothing = said(&migrate(&database, &["--to", &last.to_string()]));
    assert_eq!(
        nothing,
        format!("nothing to do: {last} is the last applied migration\n")
    );
    let down = said(&migrate(&database, &["--to", "0"]));
    let first = down.lines().next().unwrap();
    assert!(first.starts_with(&format!("takes back {last} (")), "{down}");
    assert_eq!(schema(&database), empty);
    let refusal = errors(&migrate(&database, &["--down"]));
    assert_eq!(
        refusal,
        ["no migration is applied, so none can be taken back"]
    );
}

#[tokio::test]
async fn an_unknown_number_and_a_newer_migration_are_refused_in_one_line() {
    let database = TestDatabase::migrated().await;
    let before = schema(&database);
    let last = *numbers().last().unwrap();
    let unknown = (last + 1).to_string();
    let refusal = errors(&migrate(&database, &["--to", &unknown]));
    assert_eq!(
        refusal,
        [format!(
            "there is no migration {unknown}: the last one is {last}"
        )]
    );
    for options in [["--to", "-1"], ["--to", "x"], ["--to=1", "--down"]] {
        let output = migrate(&database, &options);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99999, 'newer', true, '\\x00', 0)",
    )
    .execute(&database.pool().await)
    .await
    .unwrap();
    for options in [&["--down"][..], &["--to", "0"]] {
        let refusal = errors(&migrate(&database, options));
        assert_eq!(refusal.len(), 1, "{refusal:?}");
        assert!(
            refusal[0].contains("migration 99999, which this program does not know"),
            "{refusal:?}"
        );
    }
    assert_eq!(schema(&database), before);
}

#[tokio::test]
async fn production_wants_a_confirmation_before_a_migration_is_taken_back() {
    let database = TestDatabase::migrated().await;
    let before = schema(&database);
    let url = database.url();
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("ENVIRONMENT", "production"),
        ("CACHE_NAMESPACE", "production"),
    ];
    let refused = run(&environment, &["migrate", "--down"], "");
    assert!(errors(&refused).concat().contains("--yes"), "{refused:?}");
    let plan = String::from_utf8(refused.stdout).unwrap();
    assert!(plan.starts_with("takes back "), "{plan}");
    assert_eq!(schema(&database), before);
    said(&run(&environment, &["migrate", "--down", "--yes"], ""));
    assert_ne!(schema(&database), before);
    // Nothing is lost on the way up.
    let last = numbers().last().unwrap().to_string();
    said(&run(&environment, &["migrate", "--to", &last], ""));
    assert_eq!(schema(&database), before);
}
