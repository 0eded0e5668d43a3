//! The triggers that record changes, compared with what the modules declare.
//!
//! Come here when the start says that a change is not recorded. The rows and columns that a trigger records are decided
//! in the migrations, and the invalidations in the modules' `cache.rs`, not here.
//!
//! A trigger is known by the function that it calls: one that writes to `cache_changes`. Its kind is the first argument
//! of `record_cache_change`, or a literal in the text of a function of the module's own. Therefore a missing argument
//! of `record_cache_change` is certain, and a missing kind is only very likely.

use sqlx::FromRow;

use crate::cache::Changes;
use crate::database::Database;

/// Triggers of visible tables whose function writes to `cache_changes`. The arguments are separated by a zero byte.
const RECORDING: &str = "SELECT tgname::text AS name, relname::text AS on_table, tgtype::integer AS events,
        tgargs AS arguments, tgenabled NOT IN ('D', 'R') AS is_enabled, proname::text AS function, prosrc AS source,
        ARRAY (SELECT attname::text FROM pg_attribute WHERE attrelid = tgrelid AND attnum > 0 AND NOT attisdropped) AS columns
    FROM pg_trigger
    JOIN pg_class ON pg_class.oid = tgrelid
    JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE NOT tgisinternal AND tgparentid = 0 AND pg_table_is_visible(tgrelid) AND prosrc LIKE '%cache_changes%'
    ORDER BY relname, tgname";

/// Selects the given names that are names of visible tables.
const TABLES: &str = "SELECT relname::text FROM pg_class
    WHERE relname = ANY ($1) AND relkind IN ('r', 'p') AND pg_table_is_visible(oid)";

/// The function whose arguments are a kind, and names with columns.
const RECORD: &str = "record_cache_change";

/// The table that triggers write to.
const FEED_TABLE: &str = "cache_changes";

/// The events that change rows, each with its bit in `pg_trigger.tgtype`.
const EVENTS: [(&str, i32); 4] = [
    ("INSERT", 4),
    ("UPDATE", 16),
    ("DELETE", 8),
    ("TRUNCATE", 32),
];

/// The differences between triggers and declarations, each as a sentence that says what to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TriggerFaults {
    /// Arguments that a declaration names and the trigger does not record, or records from a column that its table does not have. The
    /// service must not start: the changes would invalidate everything.
    pub mistakes: Vec<String>,
    /// Changes that no trigger records, so that they do not reach the cache.
    pub unrecorded: Vec<String>,
}

#[derive(Debug, FromRow)]
struct Trigger {
    name: String,
    on_table: String,
    events: i32,
    arguments: Vec<u8>,
    is_enabled: bool,
    function: String,
    source: String,
    columns: Vec<String>,
}

/// Compares the triggers of the database with the declared changes.
///
/// # Errors
/// The database does not answer.
pub async fn check_triggers(
    database: &Database,
    declared: &[Changes],
) -> Result<TriggerFaults, sqlx::Error> {
    let kinds = declared.iter().map(Changes::kind);
    let names: Vec<&str> = kinds.chain([FEED_TABLE]).collect();
    let tables: Vec<String> = sqlx::query_scalar(TABLES)
        .bind(names)
        .fetch_all(database)
        .await?;
    if !tables.iter().any(|table| table == FEED_TABLE) {
        // The migrations have not been applied, which readiness reports.
        return Ok(TriggerFaults::default());
    }
    let triggers: Vec<Trigger> = sqlx::query_as(RECORDING).fetch_all(database).await?;
    Ok(compare(&triggers, declared, &tables))
}

impl Trigger {
    fn given(&self) -> Vec<&str> {
        let text = std::str::from_utf8(&self.arguments).unwrap_or_default();
        text.split_terminator('\0').collect()
    }

    fn records(&self, kind: &str) -> bool {
        match self.given().first() {
            Some(given) => *given == kind,
            None => self.source.contains(&format!("'{kind}'")),
        }
    }

    /// The names that `record_cache_change` records; `None` for the other functions.
    fn recorded_arguments(&self) -> Option<Vec<&str>> {
        let given = self.given();
        (given.len() > 1).then(|| given.into_iter().skip(1).step_by(2).collect())
    }

    /// The mistake in the arguments of changes of the trigger's kind.
    fn mistake(&self, changes: &Changes) -> Option<String> {
        let recorded = self.recorded_arguments()?;
        let lacks = |name: &&&str| !recorded.contains(*name);
        let missing: Vec<&str> = changes.arguments().iter().filter(lacks).copied().collect();
        (!missing.is_empty()).then(|| {
            format!(
                "changes of `{}` ({}): the trigger `{}` of the table `{}` does not record {}; it records {}. Correct with(…), or the \
                 trigger in another migration",
                changes.kind(),
                changes.place(),
                self.name,
                self.on_table,
                list(&missing),
                list(&recorded),
            )
        })
    }

    /// The mistake in the columns that it records. Each value of an absent column would be missing.
    fn absent_columns(&self) -> Option<String> {
        if self.function != RECORD {
            return None;
        }
        let named = self.given().into_iter().skip(2).step_by(2);
        let absent: Vec<&str> = named
            .filter(|name| !self.columns.iter().any(|column| column == name))
            .collect();
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        (!absent.is_empty()).then(|| {
            format!(
                "the trigger `{}` records {}, which the table `{}` does not have; it has {}. Correct the column of the trigger in another \
                 migration",
                self.name,
                list(&absent),
                self.on_table,
                list(&columns),
            )
        })
    }
}

fn compare(triggers: &[Trigger], declared: &[Changes], tables: &[String]) -> TriggerFaults {
    let mut faults = TriggerFaults::default();
    for changes in declared {
        let kind = changes.kind();
        let of_kind = || triggers.iter().filter(|trigger| trigger.records(kind));
        let mistakes = of_kind().filter_map(|trigger| trigger.mistake(changes));
        faults.mistakes.extend(mistakes);
        for disabled in of_kind().filter(|trigger| !trigger.is_enabled) {
            faults.unrecorded.push(format!(
                "the trigger `{}` is disabled, so changes of the table `{1}` do not reach the cache: \
                 ALTER TABLE {1} ENABLE TRIGGER {0}",
                disabled.name, disabled.on_table
            ));
        }
        let is_table = tables.iter().any(|table| table == kind);
        if is_table {
            let has = |event: i32| {
                of_kind().any(|trigger| trigger.on_table == kind && trigger.events & event != 0)
            };
            let lacking: Vec<&str> = EVENTS
                .iter()
                .filter(|(_, event)| !has(*event))
                .map(|(name, _)| *name)
                .collect();
            if !lacking.is_empty() {
                faults.unrecorded.push(format!(
                    "the table `{kind}` has no trigger that records {} as changes of `{kind}` ({}), so they do not reach the cache: add \
                     it in a migration (docs/database-feed.md)",
                    lacking.join(", "),
                    changes.place()
                ));
            }
        } else if of_kind().next().is_none() {
            faults.unrecorded.push(format!(
                "no trigger records changes of `{kind}` ({}), so they do not reach the cache: add it in a migration \
                 (docs/database-feed.md), or correct the kind",
                changes.place()
            ));
        }
    }
    for trigger in triggers {
        let Some(given) = trigger.given().first().copied() else {
            continue;
        };
        if declared.iter().any(|changes| changes.kind() == given) {
            faults.mistakes.extend(trigger.absent_columns());
        } else {
            faults.unrecorded.push(format!(
                "the trigger `{}` of the table `{}` records changes of `{given}`, which no module declares, so each invalidates \
                 everything: declare the kind in the module's cache.rs, or drop the trigger in a migration",
                trigger.name, trigger.on_table
            ));
        }
    }
    faults
}

fn list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTES: Changes = Changes::of("notes").with(&["note_id", "topic"]);

    fn trigger(name: &str, events: i32, arguments: &str) -> Trigger {
        Trigger {
            name: name.to_owned(),
            on_table: "notes".to_owned(),
            events,
            arguments: arguments.replace(' ', "\0").into_bytes(),
            is_enabled: true,
            function: RECORD.to_owned(),
            source: "INSERT INTO cache_changes".to_owned(),
            columns: ["id", "topic", "text"].map(str::to_owned).to_vec(),
        }
    }

    fn complete() -> Vec<Trigger> {
        let arguments = "notes note_id id topic topic ";
        vec![
            trigger("notes_inserted_or_deleted", 1 | 4 | 8, arguments),
            trigger("notes_updated", 1 | 16, arguments),
            trigger("notes_truncated", 32, "notes "),
        ]
    }

    fn check(triggers: &[Trigger], declared: &[Changes]) -> TriggerFaults {
        compare(triggers, declared, &["notes".to_owned()])
    }

    #[test]
    fn c53_triggers_of_every_event_with_the_declared_arguments_are_right() {
        assert_eq!(check(&complete(), &[NOTES]), TriggerFaults::default());
        // A function of the module's own names its kind in its text.
        let mut own = trigger("notes_changed", 4 | 8 | 16 | 32, "");
        own.source = "INSERT INTO cache_changes (kind) VALUES ('notes')".to_owned();
        assert_eq!(check(&[own], &[NOTES]), TriggerFaults::default());
    }

    #[test]
    fn c47_an_argument_that_the_trigger_does_not_record_is_a_mistake() {
        let misspelt = Changes::of("notes").with(&["note_id", "topics"]);
        let faults = check(&complete(), &[misspelt]);
        assert_eq!(faults.mistakes.len(), 2, "{faults:#?}");
        for part in [
            "`notes_updated`",
            "does not record `topics`",
            "`note_id`, `topic`",
        ] {
            assert!(faults.mistakes[1].contains(part), "{part}: {faults:#?}");
        }
        assert!(faults.unrecorded.is_empty());
    }

    #[test]
    fn c47_a_column_that_the_table_does_not_have_is_a_mistake() {
        let mut triggers = complete();
        triggers[1] = trigger("notes_updated", 1 | 16, "notes note_id id topic topics ");
        let faults = check(&triggers, &[NOTES]);
        assert_eq!(
            faults.mistakes,
            [
                "the trigger `notes_updated` records `topics`, which the table `notes` does not have; it has `id`, `topic`, `text`. Correct \
                 the column of the trigger in another migration"
            ]
        );
        // The arguments of a function of the module's own may be anything.
        triggers[1].function = "record_note".to_owned();
        assert_eq!(check(&triggers, &[NOTES]), TriggerFaults::default());
    }

    #[test]
    fn c53_an_event_without_a_trigger_and_a_disabled_trigger_are_reported() {
        let mut triggers = complete();
        triggers.remove(1);
        triggers[1].is_enabled = false;
        let faults = check(&triggers, &[NOTES]);
        assert_eq!(faults.unrecorded.len(), 2, "{faults:#?}");
        assert!(faults.unrecorded[0].contains("ALTER TABLE notes ENABLE TRIGGER notes_truncated"));
        assert!(faults.unrecorded[1].contains("no trigger that records UPDATE as"));
    }

    #[test]
    fn c53_a_kind_that_is_misspelt_on_one_side_is_reported() {
        let other = Changes::of("noets").with(&["note_id"]);
        let faults = check(&complete(), &[other]);
        assert_eq!(faults.unrecorded.len(), 4, "{faults:#?}");
        assert!(faults.unrecorded[0].contains("no trigger records changes of `noets`"));
        assert!(faults.unrecorded[1].contains("`notes`, which no module declares"));
    }
}
