//! Migrations and the first superuser: the effects of `migrate`, `create-superuser` and the start on the
//! database.
//!
//! Come here after changing the commands. Tables that do not fit the program are in `tables`.

use serde_json::json;

use crate::starting::{errors, run};
use crate::support::database::TestDatabase;
use crate::support::service::{PASSWORD, Service, TestService};

#[tokio::test]
async fn migrate_brings_an_empty_database_up_to_date_and_is_repeatable() {
    let database = TestDatabase::create().await;
    let url = database.url();
    for _ in 0..2 {
        let output = run(&[("DATABASE_URL", url.as_str())], &["migrate"], "");
        assert!(output.status.success(), "{output:?}");
    }
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    )
    .fetch_all(&database.pool().await)
    .await
    .unwrap();
    // A module of one's own may add tables.
    for table in ["_sqlx_migrations", "access_tokens", "users", "widgets"] {
        assert!(tables.iter().any(|known| known == table), "{tables:?}");
    }
}

#[tokio::test]
async fn migrations_go_back_and_forth() {
    let database = TestDatabase::migrated().await;
    let pool = database.pool().await;
    let migrator = &backend::infrastructure::database::MIGRATOR;
    migrator.undo(&pool, 0).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
    migrator.run(&pool).await.unwrap();
}

#[tokio::test]
async fn without_auto_migrate_the_tables_are_left_alone() {
    let database = TestDatabase::create().await;
    let service = Service::start(
        &database.url(),
        &[
            ("DATABASE_AUTO_MIGRATE", "false"),
            ("CACHE_ENABLED", "false"),
        ],
    )
    .await;
    service.get("/widgets/count").await.expect(500);
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(&database.pool().await)
            .await
            .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn create_superuser_reads_the_password_and_refuses_a_bad_one() {
    let service = TestService::start().await;
    let url = service.database.url();
    let create = |username: &str, password: &str| {
        let email = format!("{username}@example.com");
        let arguments = [
            "create-superuser",
            "--username",
            username,
            "--email",
            &email,
            "--password-stdin",
        ];
        run(
            &[("DATABASE_URL", &url)],
            &arguments,
            &format!("{password}\n"),
        )
    };
    let output = create("root", "a good password");
    assert!(output.status.success(), "{output:?}");
    let token = service.sign_in("root", "a good password").await;
    service.get_as(&token, "/users").await.expect(200);
    assert!(
        create("root", "another password").status.success(),
        "there is one already"
    );
    service.sign_in("root", "a good password").await;
    assert!(
        errors(&create("other", "short"))
            .concat()
            .contains("8 to 128")
    );
    assert!(
        errors(&create("Other", "a good password"))
            .concat()
            .contains("username")
    );
    service.sign_up("taken").await.expect(201);
    assert!(
        errors(&create("taken", "a good password"))
            .concat()
            .contains("taken")
    );
    let no_terminal = run(
        &[("DATABASE_URL", &url)],
        &[
            "create-superuser",
            "--username",
            "x1",
            "--email",
            "x@example.com",
        ],
        "",
    );
    assert!(errors(&no_terminal).concat().contains("--password-stdin"));
}

#[tokio::test]
async fn the_first_superuser_is_created_once() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    service
        .patch(
            &admin,
            "/users/admin",
            json!({"password": "another one", "current_password": PASSWORD}),
        )
        .await
        .expect(200);
    let environment = [
        ("CACHE_ENABLED", "false"),
        ("ADMIN_USERNAME", "admin"),
        ("ADMIN_EMAIL", "admin@example.com"),
        ("ADMIN_PASSWORD", PASSWORD),
    ];
    let again = Service::start(&service.database.url(), &environment).await;
    again.sign_in("admin", "another one").await;
}
