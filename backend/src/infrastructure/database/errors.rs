//! Errors of PostgreSQL: their answers, and the state of the connection after them.
//!
//! Come here to name a new constraint, or to decide that an SQLSTATE is temporary. Do not match on
//! `sqlx::Error` elsewhere.

use std::io;
use std::time::Duration;

use crate::http::{ApiError, FieldError};

/// The answers to violated constraints. No other place knows their names.
const CONSTRAINTS: &[(&str, Meaning)] = &[
    (
        "users_username_unique",
        Meaning::Conflict("this username is taken"),
    ),
    (
        "users_email_unique",
        Meaning::Conflict("this e-mail address is taken"),
    ),
    (
        "users_username_valid",
        Meaning::Field(
            "username",
            "must be 2 to 32 of a-z, 0-9 and `_`, and not `me`",
        ),
    ),
    (
        "users_email_lower_case",
        Meaning::Field(
            "email",
            "must be a lower-case address of at most 254 characters",
        ),
    ),
    (
        "users_name_length",
        Meaning::Field("name", "must have 1 to 80 characters"),
    ),
    (
        "widgets_name_length",
        Meaning::Field("name", "must have 1 to 100 characters"),
    ),
    (
        "widgets_description_length",
        Meaning::Field("description", "must have at most 2000 characters"),
    ),
];

enum Meaning {
    Conflict(&'static str),
    Field(&'static str, &'static str),
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::RowNotFound => Self::NotFound,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            // A connection that is closed half-way through its start.
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => {
                tracing::warn!("database not available: {error}");
                Self::Unavailable
            }
            sqlx::Error::Database(refusal) => {
                let code = refusal.code();
                let code = code.as_deref().unwrap_or_default();
                let meaning = refusal.constraint().and_then(|name| {
                    CONSTRAINTS
                        .iter()
                        .find(|(constraint, _)| *constraint == name)
                });
                match (meaning, code) {
                    (Some((_, Meaning::Conflict(detail))), _) => {
                        Self::Conflict((*detail).to_owned())
                    }
                    (Some((_, Meaning::Field(field, message))), _) => {
                        Self::Unprocessable(vec![FieldError::new(*field, *message)])
                    }
                    (None, "23505") => Self::Conflict(taken(refusal.table(), refusal.constraint())),
                    (None, "23503") => Self::Conflict(
                        "it refers to something that does not exist, or something else refers to it".to_owned(),
                    ),
                    (None, code) if let Some(message) = mistake_in_a_value(code) => {
                        Self::Unprocessable(vec![FieldError::new("", message)])
                    }
                    (None, code) if is_temporary(code) || state_after(&error) != ConnectionState::Usable => {
                        tracing::warn!(code, "database not available: {error}");
                        Self::Unavailable
                    }
                    _ => Self::internal(&error),
                }
            }
            _ => Self::internal(&error),
        }
    }
}

/// The sentence about a value that another row has. PostgreSQL names a constraint without a name of its own after the table and
/// the column: `notes_slug_key`.
fn taken(table: Option<&str>, constraint: Option<&str>) -> String {
    let column = constraint.zip(table).and_then(|(constraint, table)| {
        let rest = constraint.strip_prefix(table)?.strip_prefix('_')?;
        rest.strip_suffix("_key")
    });
    column.map_or_else(
        || "a value that must be unique is taken".to_owned(),
        |column| format!("this {column} is taken"),
    )
}

/// The rule that a value breaks which the type of its column cannot hold.
fn mistake_in_a_value(code: &str) -> Option<&'static str> {
    match code {
        "22003" => Some("a number is out of range"),
        "22008" => Some("a time is out of range"),
        // Text and JSON of PostgreSQL store no NUL character.
        "22021" | "22P05" => Some("text must not contain the NUL character"),
        _ => None,
    }
}

/// Whether the same request may succeed a moment later. By class and code of the `PostgreSQL` manual,
/// appendix A.
fn is_temporary(code: &str) -> bool {
    const CLASSES: [&str; 3] = [
        "08",  // connection exceptions
        "53",  // too many connections, disk full, out of memory
        "57P", // shut down, crashed, starting up, database dropped
    ];
    const CODES: [&str; 7] = [
        "25006", // the server is read-only: a failover is under way
        "25P03", // DATABASE_IDLE_TRANSACTION_TIMEOUT
        "40001", // the transactions could not be serialised
        "40P01", // deadlock
        "55P03", // DATABASE_LOCK_TIMEOUT
        "57014", // DATABASE_STATEMENT_TIMEOUT
        "58030", // the server could not read or write a file
    ];
    CLASSES.iter().any(|class| code.starts_with(class)) || CODES.contains(&code)
}

/// The state of a connection after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionState {
    /// The connection can be used again.
    Usable,
    /// The connection is closed, or nothing more can be read from it.
    Dead,
    /// The connection leads to a server that is read-only, and the other connections probably do too.
    ReadOnly,
    /// The prepared statements of the connection are no longer valid: the tables have changed, or there is a pooler.
    Outdated,
}

/// The state of the connection that returned the error.
pub(super) fn state_after(error: &sqlx::Error) -> ConnectionState {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => ConnectionState::Dead,
        sqlx::Error::Database(refusal) => match refusal.code().as_deref().unwrap_or_default() {
            code if code.starts_with("08") || code.starts_with("57P") || code == "25P03" => {
                ConnectionState::Dead
            }
            "25006" => ConnectionState::ReadOnly,
            "26000" | "42P05" => ConnectionState::Outdated,
            "0A000" if refusal.message().contains("cached plan") => ConnectionState::Outdated,
            _ => ConnectionState::Usable,
        },
        _ => ConnectionState::Usable,
    }
}

/// The error of a wait that has reached its deadline.
pub(super) fn timed_out(after: Duration) -> sqlx::Error {
    let message = format!("no answer within {} ms", after.as_millis());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_taken_is_named_by_its_column() {
        let sentence = |constraint| taken(Some("notes"), constraint);
        assert_eq!(sentence(Some("notes_slug_key")), "this slug is taken");
        let general = "a value that must be unique is taken";
        assert_eq!(sentence(Some("one_slug_each")), general);
        assert_eq!(sentence(None), general);
    }
}
