//! A database of its own for each test.
//!
//! Come here for a lock or a change that a test makes past the service. A server that a test may stop is in `postgres`.

use sqlx::{Connection, Executor, PgConnection, PgPool, Postgres, Transaction};

use super::{eventually, unique, variable};

/// A database that is dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// An empty database.
    pub async fn create() -> Self {
        let name = unique("test");
        let mut server = connect_to_server().await;
        server
            .execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .expect("a new database");
        Self { name }
    }

    /// A database with all tables.
    pub async fn migrated() -> Self {
        let database = Self::create().await;
        backend::infrastructure::database::MIGRATOR
            .run(&database.pool().await)
            .await
            .expect("migrations");
        database
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> String {
        self.url_through(None)
    }

    /// The address, or that of a proxy in front of it.
    pub fn url_through(&self, port: Option<u16>) -> String {
        let mut url = reqwest::Url::parse(&variable("TEST_DATABASE_URL")).expect("a URL");
        url.set_path(&self.name);
        if let Some(port) = port {
            url.set_port(Some(port)).expect("a port");
        }
        url.to_string()
    }

    pub async fn pool(&self) -> PgPool {
        PgPool::connect(&self.url()).await.expect("the database")
    }

    /// Changes rows without their triggers, so that nothing outside the database hears of it: for a test that makes an
    /// answer stale on purpose.
    pub async fn change_unrecorded(&self, statement: &str) {
        let mut connection = PgConnection::connect(&self.url())
            .await
            .expect("the database");
        let unrecorded = format!("SET session_replication_role = replica; {statement}");
        connection
            .execute(sqlx::AssertSqlSafe(unrecorded))
            .await
            .expect("a change");
    }

    /// Waits until a statement in this database waits for a lock, of whatever kind.
    pub async fn until_a_statement_waits(&self) {
        self.until_statements_wait(1, "").await;
    }

    /// Waits until this many statements in this database that contain a text wait for locks.
    pub async fn until_statements_wait(&self, count: usize, text: &str) {
        let observer = self.pool().await;
        eventually("statements wait for a lock", async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                           WHERE wait_event_type = 'Lock' AND datname = current_database()
                           AND strpos(query, $1) > 0";
            let waiting: i64 = sqlx::query_scalar(waiting)
                .bind(text)
                .fetch_one(&observer)
                .await
                .expect("an answer");
            usize::try_from(waiting).is_ok_and(|waiting| waiting >= count)
        })
        .await;
    }

    /// Locks a table until the transaction ends: no other transaction can read or write it.
    pub async fn lock(&self, table: &str) -> Transaction<'static, Postgres> {
        let mut transaction = self.pool().await.begin().await.expect("a transaction");
        let lock = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        transaction
            .execute(sqlx::AssertSqlSafe(lock))
            .await
            .expect("a lock");
        transaction
    }
}

/// The number that a statement answers.
pub async fn count(pool: &PgPool, statement: &'static str) -> i64 {
    let count = sqlx::query_scalar(statement).fetch_one(pool).await;
    count.expect("a number")
}

async fn connect_to_server() -> PgConnection {
    PgConnection::connect(&variable("TEST_DATABASE_URL"))
        .await
        .expect("the database server")
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                let _ = connect_to_server()
                    .await
                    .execute(sqlx::AssertSqlSafe(drop))
                    .await;
            });
        });
        let _ = dropping.join();
    }
}
