//! The way to one migration: which migrations it applies and takes back, and going it.
//!
//! Come here to change `backend migrate --to` and `--down`. Bringing all tables up to date, as the start does, is in
//! `migrations.rs`. Nothing here is called by `serve`: to take a migration back deletes data.

use std::fmt;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::migrate::{Migration, Migrator};

use super::connecting::Connector;
use super::migrations::{
    Applied, Difference, MIGRATOR, MigrationError, applied, hexadecimal, with_reminders,
};
use crate::settings::DatabaseSettings;

/// The migration that is to be the last applied one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationTarget {
    /// The one of this number; 0 for none.
    Number(i64),
    /// The one before the last applied one.
    Previous,
}

/// The migrations to apply or to take back until a [`MigrationTarget`] is reached. As text it has one line for each.
#[derive(Debug)]
pub struct MigrationPlan {
    connection: PgConnection,
    steps: Steps,
}

#[derive(Debug, PartialEq, Eq)]
struct Steps {
    target: i64,
    /// Migrations to take back, in this order.
    down: Vec<Step>,
    /// Migrations to apply after that, in this order.
    up: Vec<Step>,
}

/// The number and the name of a migration.
#[derive(Debug, PartialEq, Eq)]
struct Step(i64, String);

impl MigrationPlan {
    /// Compares the tables with the target. Changes nothing.
    ///
    /// # Errors
    /// The database is not available, the target does not exist, or the tables do not allow the way to it.
    pub async fn new(
        settings: &DatabaseSettings,
        target: MigrationTarget,
    ) -> Result<Self, MigrationError> {
        let connector = Connector::for_migrations(settings)?;
        let limit = Duration::from_secs(settings.database_connect_timeout);
        let mut connection = connector.connect_within(limit).await?;
        let applied = applied(&mut connection).await?.unwrap_or_default();
        let steps = steps(&MIGRATOR, &applied, target)?;
        match steps.first() {
            Some(Step(first, _)) if settings.database_pgbouncer => {
                Err(MigrationError::Pooler(*first))
            }
            _ => Ok(Self { connection, steps }),
        }
    }

    /// Whether a migration is taken back, with the data of its tables.
    #[must_use]
    pub fn takes_back(&self) -> bool {
        !self.steps.down.is_empty()
    }

    /// Takes back and applies. Each migration is a transaction of its own. It has no deadline: a migration may take long.
    ///
    /// # Errors
    /// A migration fails; those before it stay applied or taken back.
    pub async fn run(mut self) -> Result<(), MigrationError> {
        let target = self.steps.target;
        if self.takes_back() {
            with_reminders(MIGRATOR.undo(&mut self.connection, target)).await?;
        }
        if !self.steps.up.is_empty() {
            with_reminders(MIGRATOR.run_to(target, &mut self.connection)).await?;
        }
        Ok(())
    }
}

impl fmt::Display for MigrationPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.fmt(formatter)
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first().is_none() {
            return writeln!(
                formatter,
                "nothing to do: {} is the last applied migration",
                self.target
            );
        }
        for Step(number, name) in &self.down {
            writeln!(
                formatter,
                "takes back {number} ({name}), with the data in what it added"
            )?;
        }
        for Step(number, name) in &self.up {
            writeln!(formatter, "applies {number} ({name})")?;
        }
        Ok(())
    }
}

impl Steps {
    fn first(&self) -> Option<&Step> {
        self.down.first().or(self.up.first())
    }
}

/// Finds the steps. A migration that is taken back may have been changed since it was applied; one that stays may not.
fn steps(
    migrator: &Migrator,
    applied: &[Applied],
    target: MigrationTarget,
) -> Result<Steps, MigrationError> {
    if let Some(unfinished) = applied.iter().find(|applied| !applied.success) {
        return Err(Difference::Unfinished(unfinished.version).into());
    }
    let known: Vec<&Migration> = migrator
        .iter()
        .filter(|migration| !migration.migration_type.is_down_migration())
        .collect();
    let target = match target {
        MigrationTarget::Number(number) => number,
        MigrationTarget::Previous => match applied {
            [.., previous, _] => previous.version,
            [_] => 0,
            [] => return Err(MigrationError::NothingApplied),
        },
    };
    let leaving: Vec<_> = applied
        .iter()
        .filter(|applied| applied.version > target)
        .collect();
    let find = |version| known.iter().find(|migration| migration.version == version);
    if let Some(newer) = leaving
        .iter()
        .find(|applied| find(applied.version).is_none())
    {
        return Err(MigrationError::OfNewerProgram(newer.version));
    }
    if target != 0 && find(target).is_none() {
        return Err(MigrationError::UnknownNumber {
            number: target,
            known: neighbours(&known, target),
        });
    }
    let has_way_back = |version| {
        let mut all = migrator.iter();
        all.any(|migration| {
            migration.version == version && migration.migration_type.is_down_migration()
        })
    };
    if let Some(fixed) = leaving
        .iter()
        .find(|applied| !has_way_back(applied.version))
    {
        return Err(MigrationError::NoWayBack(fixed.version));
    }
    let mut up = Vec::new();
    for migration in known.iter().filter(|migration| migration.version <= target) {
        match applied
            .iter()
            .find(|applied| applied.version == migration.version)
        {
            Some(applied) if applied.checksum != hexadecimal(&migration.checksum) => {
                return Err(Difference::Changed(migration.version).into());
            }
            Some(_) => {}
            None => up.push(Step::of(migration)),
        }
    }
    let down = leaving
        .iter()
        .rev()
        .filter_map(|applied| find(applied.version));
    Ok(Steps {
        target,
        down: down.map(|migration| Step::of(migration)).collect(),
        up,
    })
}

impl Step {
    fn of(migration: &Migration) -> Self {
        Self(migration.version, migration.description.to_string())
    }
}

/// The numbers next to one that does not exist, as a part of a sentence.
fn neighbours(known: &[&Migration], number: i64) -> String {
    let below = known
        .iter()
        .rev()
        .find(|migration| migration.version < number);
    let above = known.iter().find(|migration| migration.version > number);
    match (below, above) {
        (Some(below), Some(above)) => {
            format!("the next ones are {} and {}", below.version, above.version)
        }
        (Some(last), None) => format!("the last one is {}", last.version),
        (None, Some(first)) => format!("the first one is {}", first.version),
        (None, None) => "there are none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr;
    use sqlx::migrate::MigrationType;

    use super::*;

    /// Migrations 1, 2 and 4, of which 2 cannot be taken back.
    fn migrator() -> Migrator {
        let migration = |version, kind| {
            Migration::new(
                version,
                format!("name {version}").into(),
                kind,
                "SELECT 1".into_sql_str(),
                false,
            )
        };
        Migrator::with_migrations(vec![
            migration(1, MigrationType::ReversibleUp),
            migration(1, MigrationType::ReversibleDown),
            migration(2, MigrationType::Simple),
            migration(4, MigrationType::ReversibleUp),
            migration(4, MigrationType::ReversibleDown),
        ])
    }

    fn applied(versions: &[i64]) -> Vec<Applied> {
        let checksum = hexadecimal(&migrator().iter().next().unwrap().checksum);
        let row = |version: &i64| Applied {
            version: *version,
            checksum: checksum.clone(),
            success: true,
        };
        versions.iter().map(row).collect()
    }

    /// The lines that describe the way to a target.
    fn said(versions: &[i64], target: MigrationTarget) -> String {
        match steps(&migrator(), &applied(versions), target) {
            Ok(steps) => steps.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_steps_go_up_and_down_and_fill_gaps() {
        use MigrationTarget::{Number, Previous};
        assert_eq!(
            said(&[], Number(2)),
            "applies 1 (name 1)\napplies 2 (name 2)\n"
        );
        assert_eq!(
            said(&[1, 2, 4], Previous),
            "takes back 4 (name 4), with the data in what it added\n"
        );
        assert_eq!(
            said(&[1, 4], Number(2)),
            "takes back 4 (name 4), with the data in what it added\napplies 2 (name 2)\n"
        );
        assert_eq!(
            said(&[1], Previous),
            "takes back 1 (name 1), with the data in what it added\n"
        );
        assert_eq!(
            said(&[1, 2], Number(2)),
            "nothing to do: 2 is the last applied migration\n"
        );
    }

    #[test]
    fn a_way_that_does_not_exist_is_refused_with_its_reason() {
        use MigrationTarget::{Number, Previous};
        assert!(said(&[1], Number(3)).ends_with("the next ones are 2 and 4"));
        assert!(said(&[1], Number(5)).ends_with("the last one is 4"));
        assert!(said(&[], Previous).starts_with("no migration is applied"));
        assert!(said(&[1, 2], Number(1)).starts_with("migration 2 cannot be taken back"));
        assert!(said(&[1, 9], Previous).contains("migration 9"));
        assert!(said(&[1, 9], Number(0)).contains("does not know"));
    }

    #[test]
    fn a_changed_migration_may_be_taken_back_and_may_not_stay() {
        let mut changed = applied(&[1, 2, 4]);
        changed[2].checksum.push('0');
        let to = |number| steps(&migrator(), &changed, MigrationTarget::Number(number));
        assert_eq!(to(2).unwrap().down, [Step(4, "name 4".to_owned())]);
        let refusal = to(4).unwrap_err().to_string();
        assert!(
            refusal.starts_with("migration 4 was applied with another text"),
            "{refusal}"
        );
    }
}
