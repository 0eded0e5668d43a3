//! The settings of the database (`DATABASE_*`).
//!
//! Come here to add or change such a setting. Connections are made in `infrastructure::database`.

use garde::Validate;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;

use super::variable::{Kind, Section, Variable};

/// The variables of the database.
pub(super) const SECTION: Section = Section {
    title: "Database",
    variables: &[
        Variable {
            name: "DATABASE_URL",
            kind: Kind::Secret("postgres://user:password@host:port/database"),
            default: "postgres://postgres:postgres@localhost:5432/backend",
            meaning: "Address of PostgreSQL, with user, password and database",
        },
        Variable {
            name: "DATABASE_POOL_SIZE",
            kind: Kind::number("a number of connections", 1, 1000),
            default: "10",
            meaning: "Most connections of this process for requests",
        },
        Variable {
            name: "DATABASE_CONNECT_TIMEOUT",
            kind: Kind::number("seconds", 1, 300),
            default: "5",
            meaning: "Seconds to wait for a connection",
        },
        Variable {
            name: "DATABASE_STATEMENT_TIMEOUT",
            kind: Kind::number("seconds", 1, 3600),
            default: "5",
            meaning: "Seconds that a statement may take",
        },
        Variable {
            name: "DATABASE_LOCK_TIMEOUT",
            kind: Kind::number("seconds", 1, 3600),
            default: "2",
            meaning: "Seconds that a statement may wait for a lock",
        },
        Variable {
            name: "DATABASE_IDLE_TRANSACTION_TIMEOUT",
            kind: Kind::number("seconds", 1, 3600),
            default: "10",
            meaning: "Seconds between two statements of a transaction",
        },
        Variable {
            name: "DATABASE_PGBOUNCER",
            kind: Kind::Flag,
            default: "false",
            meaning: "Whether `DATABASE_URL` leads to PgBouncer or another pooler in front of PostgreSQL",
        },
        Variable {
            name: "DATABASE_AUTO_MIGRATE",
            kind: Kind::Flag,
            default: "true",
            meaning: "Whether `serve` brings the tables up to date before it listens",
        },
    ],
};

/// Settings of the connection to PostgreSQL.
#[derive(Clone, Debug, Deserialize, Validate)]
#[serde(default)]
pub struct DatabaseSettings {
    /// `DATABASE_URL`: `postgres://user:password@host:port/database`.
    #[garde(custom(is_postgres_url))]
    pub database_url: SecretString,
    /// `DATABASE_POOL_SIZE`: the most connections.
    #[garde(range(min = 1, max = 1000))]
    pub database_pool_size: u32,
    /// `DATABASE_CONNECT_TIMEOUT`: seconds to wait for a connection.
    #[garde(range(min = 1, max = 300))]
    pub database_connect_timeout: u64,
    /// `DATABASE_STATEMENT_TIMEOUT`: seconds that a statement may take.
    #[garde(range(min = 1, max = 3600))]
    pub database_statement_timeout: u64,
    /// `DATABASE_LOCK_TIMEOUT`: seconds that a statement may wait for a lock.
    #[garde(range(min = 1, max = 3600))]
    pub database_lock_timeout: u64,
    /// `DATABASE_IDLE_TRANSACTION_TIMEOUT`: seconds between two statements of a transaction.
    #[garde(range(min = 1, max = 3600))]
    pub database_idle_transaction_timeout: u64,
    /// `DATABASE_PGBOUNCER`: whether `DATABASE_URL` leads to PgBouncer or another pooler, which may use
    /// another server connection for each transaction.
    #[garde(skip)]
    pub database_pgbouncer: bool,
    /// `DATABASE_AUTO_MIGRATE`: whether `serve` brings the tables up to date first.
    #[garde(skip)]
    pub database_auto_migrate: bool,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            database_url: "postgres://postgres:postgres@localhost:5432/backend"
                .to_owned()
                .into(),
            database_pool_size: 10,
            database_connect_timeout: 5,
            database_statement_timeout: 5,
            database_lock_timeout: 2,
            database_idle_transaction_timeout: 10,
            database_pgbouncer: false,
            database_auto_migrate: true,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the context by reference"
)]
fn is_postgres_url(url: &SecretString, _: &()) -> garde::Result {
    let url = url.expose_secret();
    let scheme = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if scheme && url.parse::<PgConnectOptions>().is_ok() {
        Ok(())
    } else {
        Err(garde::Error::new("not a PostgreSQL URL"))
    }
}
