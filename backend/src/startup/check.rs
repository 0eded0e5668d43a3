//! `backend check`: whether the service could work here, one line for each concern, with what to do.
//!
//! Come here to add a check. A check changes no data: on a cache server it uses a few keys that expire. Checks that
//! stop the start are in `declarations`; the health of a running service is in `interfaces::health`.

mod cache_servers;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::infrastructure::cache::CacheOptions;
use crate::infrastructure::database::{self, Database, NotReady};
use crate::infrastructure::database_feed::check_triggers;
use crate::infrastructure::settings::{Settings, SettingsError};
use crate::interfaces;
use crate::modules;

/// The largest accepted difference between the clocks of this machine and of the database. The instance that stores an
/// entry writes its own time into it, so with a larger difference fresh entries of one instance are expired for
/// another.
const CLOCKS_APART: Duration = Duration::from_secs(2);
/// Selects the privileges that the role lacks, on all tables except that of the migrations.
const LACKING: &str = "SELECT current_user::text, relname::text, string_agg(privilege, ', ')
    FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
    WHERE relkind IN ('r', 'p') AND relname <> '_sqlx_migrations'
        AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('_sqlx_migrations'))
        AND NOT has_table_privilege(oid, privilege)
    GROUP BY relname ORDER BY relname";

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    state: State,
    concern: &'static str,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Right,
    /// The service works, but perhaps not as intended.
    Warning,
    /// The service does not start, or cannot work.
    Failed,
    /// It could not be checked, for a reason that another line gives, or it is not used.
    Skipped,
}

impl Finding {
    fn new(state: State, concern: &'static str, text: impl Into<String>) -> Self {
        Self {
            state,
            concern,
            text: text.into(),
        }
    }

    /// Whether the service does not start or cannot work because of it.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.state == State::Failed
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Right => "ok",
            State::Warning => "warning",
            State::Failed => "failed",
            State::Skipped => "skipped",
        };
        // Line breaks in the text become spaces, so that a finding is one line.
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(formatter, "{state:<8} {:<12} {text}", self.concern)
    }
}

/// Checks everything that the service needs. `loaded` are the settings, or all mistakes in them.
pub async fn check(loaded: Result<Settings, SettingsError>) -> Vec<Finding> {
    let settings = match loaded {
        Ok(settings) => settings,
        Err(mistakes) => {
            let mistakes = mistakes.to_string();
            let failed = |line: &str| Finding::new(State::Failed, "settings", line);
            return mistakes.lines().map(failed).collect();
        }
    };
    let mut findings = check_settings(&settings);
    findings.extend(check_database(&settings).await);
    let options = CacheOptions::from(&settings.cache);
    findings.extend(cache_servers::check(&options).await);
    let map = interfaces::map();
    let mut mistakes = map.mistakes(options.backend_names().as_deref());
    if settings.cache.cache_enabled && !settings.cache.cache_database_feed {
        mistakes.extend(map.mistakes_without_feed());
    }
    findings.extend(all(
        State::Failed,
        "map",
        mistakes,
        "routes, policies and changes fit together",
    ));
    findings
}

/// A finding for each text, or the finding `right` where there is none.
fn all(state: State, concern: &'static str, texts: Vec<String>, right: &str) -> Vec<Finding> {
    if texts.is_empty() {
        return vec![Finding::new(State::Right, concern, right)];
    }
    let found = texts.into_iter();
    found
        .map(|text| Finding::new(state, concern, text))
        .collect()
}

fn check_settings(settings: &Settings) -> Vec<Finding> {
    let warnings = settings.warnings.clone();
    all(
        State::Warning,
        "settings",
        warnings,
        "every variable is known and holds a possible value",
    )
}

async fn check_database(settings: &Settings) -> Vec<Finding> {
    const DEPENDENT: [&str; 4] = ["migrations", "permissions", "clocks", "triggers"];
    let connected = async {
        let database = Database::new(&settings.database)?;
        database.check_connection(true).await?;
        Ok(database)
    };
    let database = match connected.await {
        Ok(database) => database,
        Err(error) => {
            let advice = database::advice(&error);
            let failed = format!("the database is not available: {error}; {advice}");
            let skip = |concern| Finding::new(State::Skipped, concern, "without the database");
            let failed = Finding::new(State::Failed, "database", failed);
            return [failed].into_iter().chain(DEPENDENT.map(skip)).collect();
        }
    };
    let mut findings = Vec::new();
    match database.check_readiness().await {
        Ok(()) => {
            findings.push(Finding::new(State::Right, "database", "it answers"));
            let applied = "all are applied";
            findings.push(Finding::new(State::Right, "migrations", applied));
        }
        Err(NotReady::Tables(difference)) => {
            findings.push(Finding::new(State::Right, "database", "it answers"));
            let difference = difference.to_string();
            findings.push(Finding::new(State::Failed, "migrations", difference));
        }
        Err(reason) => {
            findings.push(Finding::new(State::Failed, "database", reason.to_string()));
        }
    }
    let answered = [
        ("permissions", check_permissions(&database).await),
        ("clocks", check_clocks(&database).await),
        ("triggers", check_feed(&database, settings).await),
    ];
    for (concern, answer) in answered {
        findings.extend(
            answer.unwrap_or_else(|error| {
                vec![Finding::new(State::Failed, concern, error.to_string())]
            }),
        );
    }
    database.close().await;
    findings
}

async fn check_permissions(database: &Database) -> Result<Vec<Finding>, sqlx::Error> {
    let lacking: Vec<(String, String, String)> =
        sqlx::query_as(LACKING).fetch_all(database).await?;
    let sentences = lacking.into_iter().map(|(role, table, privileges)| {
        format!(
            "the role `{role}` lacks {privileges} on `{table}`: GRANT {privileges} ON {table} TO {role}"
        )
    });
    let right = "the role may read and write every table";
    Ok(all(
        State::Failed,
        "permissions",
        sentences.collect(),
        right,
    ))
}

async fn check_clocks(database: &Database) -> Result<Vec<Finding>, sqlx::Error> {
    const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let before = milliseconds();
    let theirs: i64 = sqlx::query_scalar(CLOCK).fetch_one(database).await?;
    let after = milliseconds();
    Ok(vec![compare_clocks(before, theirs, after)])
}

/// Compares the clocks, in milliseconds since the Unix epoch. `theirs`, that of the database, was read between `before`
/// and `after`.
fn compare_clocks(before: i64, theirs: i64, after: i64) -> Finding {
    let apart = (before - theirs).max(theirs - after).max(0).unsigned_abs();
    if Duration::from_millis(apart) <= CLOCKS_APART {
        let right = "this machine and the database have the same time";
        return Finding::new(State::Right, "clocks", right);
    }
    let side = if before > theirs {
        "ahead of"
    } else {
        "behind"
    };
    let wrong = format!(
        "the clock of this machine is {} s {side} the database's: set both by NTP, or entries expire too early or too late",
        apart / 1000
    );
    Finding::new(State::Failed, "clocks", wrong)
}

fn milliseconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

async fn check_feed(database: &Database, settings: &Settings) -> Result<Vec<Finding>, sqlx::Error> {
    if !settings.cache.cache_enabled || !settings.cache.cache_database_feed {
        let off = "CACHE_ENABLED or CACHE_DATABASE_FEED is false";
        return Ok(vec![Finding::new(State::Skipped, "triggers", off)]);
    }
    let faults = check_triggers(database, &modules::changes()).await?;
    let sentences = [faults.mistakes, faults.unrecorded].concat();
    let right = "every declared change is recorded";
    Ok(all(State::Failed, "triggers", sentences, right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchdog;

    #[test]
    fn clocks_that_are_apart_are_found_and_a_slow_answer_is_no_difference() {
        assert!(!compare_clocks(1_000_000, 1_001_500, 1_000_100).has_failed());
        // The answer took an hour, and the clock was read at any time of it.
        assert!(!compare_clocks(0, 1_800_000, 3_600_000).has_failed());
        let ahead = compare_clocks(7_200_000, 3_600_000, 7_200_010);
        assert!(ahead.has_failed() && ahead.to_string().contains("3600 s ahead of the database's"));
        let behind = compare_clocks(0, 3_600_010, 10);
        assert!(behind.has_failed() && behind.to_string().contains("3600 s behind"));
    }

    #[test]
    fn a_finding_is_one_line() {
        let finding = Finding::new(State::Failed, "cache", "two\nlines");
        assert_eq!(finding.to_string(), "failed   cache        two lines");
    }

    #[tokio::test]
    async fn mistakes_in_the_settings_are_a_line_each() {
        watchdog::watch();
        let environment = [("CACHE_BACKEND", "rediss"), ("SERVER_PORT", "70000")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let findings = check(Settings::from_sources(
            crate::PROGRAM,
            environment.into(),
            None,
        ))
        .await;
        assert!(findings.iter().all(Finding::has_failed), "{findings:#?}");
        assert_eq!(findings.len(), 2);
    }
}
