//! The private PostgreSQL: no access for other users, and a locale with letters beyond ASCII.
//!
//! Come here after changing how the private PostgreSQL is made.

use sqlx::{Connection, PgConnection};

use crate::project::Project;
use crate::support::variable;

#[tokio::test]
async fn the_private_postgres_refuses_logins_without_the_password() {
    let right = variable("TEST_DATABASE_URL");
    let mut url = reqwest::Url::parse(&right).unwrap();
    assert!(url.password().is_some_and(|password| password.len() == 32));
    for password in [None, Some("postgres"), Some("wrong")] {
        url.set_password(password).unwrap();
        let error = PgConnection::connect(url.as_str()).await.unwrap_err();
        assert!(error.to_string().contains("password"), "{error}");
    }
    let mut connection = PgConnection::connect(&right).await.unwrap();
    let show = async |name: &str, connection: &mut PgConnection| -> String {
        sqlx::query_scalar("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(connection)
            .await
            .unwrap()
    };
    assert_eq!(show("unix_socket_directories", &mut connection).await, "");
    assert_eq!(show("listen_addresses", &mut connection).await, "127.0.0.1");
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(open, 0, "rules that ask for no password");
}

#[tokio::test]
async fn upper_and_lower_case_match_beyond_ascii() {
    let mut connection = PgConnection::connect(&variable("TEST_DATABASE_URL"))
        .await
        .unwrap();
    for (upper, lower) in [
        ("ÄPFEL", "äpfel"),
        ("ÉTÉ", "été"),
        ("ЁЖ", "ёж"),
        ("ΑΒΓ", "αβγ"),
    ] {
        let matches: bool = sqlx::query_scalar("SELECT $1 ILIKE $2")
            .bind(upper)
            .bind(lower)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(matches, "{upper} and {lower}");
    }
}

#[test]
fn a_database_of_an_earlier_version_is_refused_with_the_way_to_go_on() {
    let project = Project::copy();
    project.write(".dev/postgres/data/PG_VERSION", "15\n");
    let script = "chmod -R a+rX .dev; start_postgres \"$root/.dev/postgres\"";
    let error = project.shell(&[], script).fails();
    assert!(
        error.contains("is open to other users of this machine"),
        "{error}"
    );
    assert!(
        error.contains("./scripts/dev --reset begins with an empty one"),
        "{error}"
    );
}

#[test]
fn a_directory_in_a_public_place_that_belongs_to_another_user_is_refused() {
    if !is_root() {
        // Only root needs such a directory.
        return;
    }
    let project = Project::copy();
    let script = r#"
        mkdir -m 700 closed
        name=$(printf '%s' "$root/closed/postgres" | cksum | cut -d ' ' -f 1)
        mkdir "/var/tmp/backend-postgres-$name"
        trap 'rmdir "/var/tmp/backend-postgres-$name"' EXIT
        postgres_directory "$root/closed/postgres""#;
    let error = project.shell(&[], script).fails();
    assert!(
        error.contains("does not belong to the user postgres: remove it"),
        "{error}"
    );
}

fn is_root() -> bool {
    let user = std::process::Command::new("id").arg("-u").output().unwrap();
    user.stdout == b"0\n"
}
