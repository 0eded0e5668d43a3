//! Migrations: applying them, and comparing the tables with those that this program needs.
//!
//! The files are in `migrations/` and are part of the binary. Come here to change when the program
//! starts with tables that are newer, older or changed.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgRow;
use sqlx::{Executor, PgConnection, Row};
use tokio::time::{MissedTickBehavior, interval};

use super::connecting::{Connector, advice};
use crate::settings::DatabaseSettings;

/// The interval between two lines of the log about a migration that takes long.
const REMINDER: Duration = Duration::from_secs(10);

/// The applied migrations, and whether the server is read-only. One simple query: it leaves no prepared
/// statement behind, and holds no lock.
pub(super) const APPLIED: &str = "SELECT version, encode(checksum, 'hex') AS checksum, success, \
    current_setting('transaction_read_only') = 'on' AS is_read_only \
    FROM _sqlx_migrations ORDER BY version";

/// The embedded migrations. Applied ones that the program does not know are ignored, so that an older
/// program starts with newer tables.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../../../migrations");
    migrator.set_ignore_missing(true);
    migrator
});

/// The reason that the tables could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database is not available.
    #[error("the database is not available: {cause}; {}", advice(cause))]
    Database {
        /// The error of the connection.
        #[from]
        cause: sqlx::Error,
    },
    /// The tables cannot be used as they are.
    #[error("{0}")]
    Tables(#[from] Difference),
    /// A migration is missing, and it cannot be applied through a pooler.
    #[error(
        "migration {0} is not applied, and migrations need a connection to PostgreSQL itself: run `backend migrate` \
         with DATABASE_PGBOUNCER=false and the address of PostgreSQL in DATABASE_URL"
    )]
    Pooler(i64),
    /// The role may not change tables.
    #[error(
        "the role of DATABASE_URL may not change tables ({0}): run `backend migrate` as their owner; \
         DATABASE_AUTO_MIGRATE=false keeps `serve` from trying"
    )]
    NotOwner(MigrateError),
    /// A migration failed.
    #[error("the tables could not be brought up to date: {0}")]
    Migration(MigrateError),
    /// There is no migration of the number that was asked for.
    #[error("there is no migration {number}: {known}")]
    UnknownNumber {
        /// The number.
        number: i64,
        /// The numbers next to it.
        known: String,
    },
    /// No migration can be taken back.
    #[error("no migration is applied, so none can be taken back")]
    NothingApplied,
    /// A migration of the database is not in this program.
    #[error(
        "the database has migration {0}, which this program does not know: take it back with the program that applied it"
    )]
    OfNewerProgram(i64),
    /// A migration has no file that takes it back.
    #[error("migration {0} cannot be taken back: it has no file migrations/{0:04}_….down.sql")]
    NoWayBack(i64),
}

/// A difference between the applied migrations and the embedded ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// There is no table of migrations.
    #[error("no migration has been applied: run `backend migrate`")]
    Empty,
    /// A migration is not applied.
    #[error("migration {0} has not been applied: run `backend migrate`")]
    Missing(i64),
    /// A migration was applied with another text.
    #[error(
        "migration {0} was applied with another text than this program has: a migration that was applied must not \
         change, so restore its file and add another migration (in development: ./scripts/dev --reset)"
    )]
    Changed(i64),
    /// A migration was begun and not finished.
    #[error(
        "migration {0} was begun and has not finished: put right what it did, then remove its row from _sqlx_migrations"
    )]
    Unfinished(i64),
}

/// A row of `_sqlx_migrations`.
#[derive(Clone, Debug)]
pub(super) struct Applied {
    pub(super) version: i64,
    pub(super) checksum: String,
    pub(super) success: bool,
}

impl Applied {
    /// A row of [`APPLIED`].
    ///
    /// # Errors
    /// The row has other columns.
    pub(super) fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            version: row.try_get("version")?,
            checksum: row.try_get("checksum")?,
            success: row.try_get("success")?,
        })
    }
}

/// Compares the applied migrations with the embedded ones; returns the versions that only the database
/// has.
///
/// # Errors
/// The first difference that keeps this program from using the tables.
pub(super) fn compare(applied: &[Applied]) -> Result<Vec<i64>, Difference> {
    if let Some(unfinished) = applied.iter().find(|applied| !applied.success) {
        return Err(Difference::Unfinished(unfinished.version));
    }
    let embedded = || {
        MIGRATOR
            .iter()
            .filter(|migration| !migration.migration_type.is_down_migration())
    };
    for migration in embedded() {
        let version = migration.version;
        let found = applied.iter().find(|applied| applied.version == version);
        let found = found.ok_or(Difference::Missing(version))?;
        if found.checksum != hexadecimal(&migration.checksum) {
            return Err(Difference::Changed(version));
        }
    }
    let is_known = |version| embedded().any(|migration| migration.version == version);
    let versions = applied.iter().map(|applied| applied.version);
    Ok(versions.filter(|version| !is_known(*version)).collect())
}

/// Bytes as `_sqlx_migrations` is read here.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Brings the tables up to date. Where nothing is missing, nothing is locked or written, and a role
/// suffices that can read `_sqlx_migrations`.
///
/// It has no deadline: a migration may take long, and one instance waits for another.
///
/// # Errors
/// The database is not available, or a migration does not fit or fails.
pub async fn migrate(settings: &DatabaseSettings) -> Result<(), MigrationError> {
    let connector = Connector::for_migrations(settings)?;
    let limit = Duration::from_secs(settings.database_connect_timeout);
    let mut connection = connector.connect_within(limit).await?;
    let missing = match difference(&mut connection).await? {
        Ok(newer) => {
            log_newer(&newer);
            return Ok(());
        }
        Err(Difference::Empty) => MIGRATOR.iter().next().map_or(0, |first| first.version),
        Err(Difference::Missing(version)) => version,
        Err(difference) => return Err(difference.into()),
    };
    if settings.database_pgbouncer {
        return Err(MigrationError::Pooler(missing));
    }
    with_reminders(MIGRATOR.run(&mut connection)).await
}

/// Logs the migrations that only a newer program knows. Tables that do not fit are a matter of readiness.
pub(super) async fn report_newer(connection: &mut PgConnection) {
    if let Ok(Ok(newer)) = difference(connection).await {
        log_newer(&newer);
    }
}

fn log_newer(newer: &[i64]) {
    if !newer.is_empty() {
        tracing::warn!(
            "the tables are newer than this program: it does not know the migrations {newer:?}, and serves all the same"
        );
    }
}

/// Compares the tables of a connection with the embedded migrations.
async fn difference(
    connection: &mut PgConnection,
) -> Result<Result<Vec<i64>, Difference>, sqlx::Error> {
    let applied = applied(connection).await?;
    Ok(applied.map_or(Err(Difference::Empty), |applied| compare(&applied)))
}

/// The applied migrations by number, or `None` where there is no table of them.
pub(super) async fn applied(
    connection: &mut PgConnection,
) -> Result<Option<Vec<Applied>>, sqlx::Error> {
    match connection.fetch_all(APPLIED).await {
        Ok(rows) => {
            let applied = rows.iter().map(Applied::from_row);
            Ok(Some(applied.collect::<Result<_, _>>()?))
        }
        Err(error) if is_missing_table(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether there is no table `_sqlx_migrations`.
pub(super) fn is_missing_table(error: &sqlx::Error) -> bool {
    has_code(error, "42P01")
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error
        .as_database_error()
        .is_some_and(|refusal| refusal.code().as_deref() == Some(code))
}

/// Waits for migrations, with a line of the log now and then.
pub(super) async fn with_reminders(
    migrating: impl Future<Output = Result<(), MigrateError>>,
) -> Result<(), MigrationError> {
    let mut reminder = interval(REMINDER);
    reminder.set_missed_tick_behavior(MissedTickBehavior::Delay);
    reminder.tick().await;
    let mut migrating = Box::pin(migrating);
    loop {
        tokio::select! {
            outcome = &mut migrating => return outcome.map_err(|error| match &error {
                MigrateError::VersionMismatch(version) => Difference::Changed(*version).into(),
                MigrateError::Dirty(version) => Difference::Unfinished(*version).into(),
                MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _)
                    if has_code(cause, "42501") => MigrationError::NotOwner(error),
                _ => MigrationError::Migration(error),
            }),
            _ = reminder.tick() => {
                tracing::info!("migrating, or waiting for another instance that migrates");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Applied> {
        let up = MIGRATOR
            .iter()
            .filter(|migration| !migration.migration_type.is_down_migration());
        up.map(|migration| Applied {
            version: migration.version,
            checksum: hexadecimal(&migration.checksum),
            success: true,
        })
        .collect()
    }

    #[test]
    fn the_embedded_migrations_are_enough_and_newer_ones_are_named() {
        assert_eq!(compare(&all()), Ok(Vec::new()));
        let mut newer = all();
        newer.push(Applied {
            version: 9_999,
            checksum: String::new(),
            success: true,
        });
        assert_eq!(compare(&newer), Ok(vec![9_999]));
    }

    #[test]
    fn a_missing_a_changed_and_an_unfinished_migration_are_differences() {
        let last = all().len() - 1;
        let version = all()[last].version;
        assert_eq!(compare(&all()[..last]), Err(Difference::Missing(version)));
        let mut changed = all();
        changed[last].checksum.push('0');
        assert_eq!(compare(&changed), Err(Difference::Changed(version)));
        let mut unfinished = all();
        unfinished[last].success = false;
        assert_eq!(compare(&unfinished), Err(Difference::Unfinished(version)));
    }
}
