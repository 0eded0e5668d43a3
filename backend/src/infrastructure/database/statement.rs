//! A statement that can be sent again: after its connection has died, or without a name behind a
//! pooler.
//!
//! Come here to change which statements are repeated. When they are repeated is decided in `pool`, not here.

use std::pin::Pin;

use futures_util::future::BoxFuture;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgStatement};
use sqlx::{Execute, PgConnection, Postgres, SqlStr};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::traces::TARGET;

/// The text of a statement and its arguments. No `Debug`: arguments may be secret.
#[derive(Clone)]
pub(super) struct Statement {
    sql: SqlStr,
    arguments: Option<PgArguments>,
    /// Whether the server keeps the prepared statement, under a name.
    is_named: bool,
}

/// Runs a statement on a connection.
pub(super) type Run<T> =
    for<'c> fn(&'c mut PgConnection, Statement) -> BoxFuture<'c, Result<T, sqlx::Error>>;

impl Statement {
    /// The statement of a query.
    ///
    /// # Errors
    /// An argument cannot be encoded.
    pub(super) fn of<'q>(mut query: impl Execute<'q, Postgres>) -> Result<Self, sqlx::Error> {
        let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?;
        Ok(Self {
            arguments,
            is_named: query.persistent(),
            sql: query.sql(),
        })
    }

    /// The same statement, prepared without a name: the server forgets it with the next one.
    pub(super) fn unnamed(self) -> Self {
        Self {
            is_named: false,
            ..self
        }
    }

    /// Whether the statement only reads, so that it may run twice. Call a function with side effects in a transaction,
    /// which is never repeated.
    pub(super) fn is_read(&self) -> bool {
        let sql = self.sql.as_str().trim_start();
        let starts_with = |word: &str| {
            sql.get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        starts_with("select")
            || starts_with("with")
                && !sql
                    .split(|character: char| !character.is_ascii_alphabetic())
                    .any(|word| {
                        ["insert", "update", "delete", "merge"]
                            .iter()
                            .any(|writes| word.eq_ignore_ascii_case(writes))
                    })
    }
}

impl Statement {
    /// The span of the statement, if it is part of a trace: the statements of background tasks are not. Arguments are not in it.
    pub(super) fn span(&self) -> Span {
        if !cfg!(feature = "traces") || Span::current().is_disabled() {
            return Span::none();
        }
        let sql = self.sql.as_str();
        tracing::info_span!(
            target: TARGET,
            "query",
            otel.name = sql.split_whitespace().next(),
            otel.kind = "client",
            otel.status_code = Empty,
            db.system.name = "postgresql",
            db.query.text = sql,
        )
    }
}

/// Runs the work of a statement in its span, and marks the span if the work fails.
pub(super) async fn in_span<T>(
    span: Span,
    work: Pin<&mut impl Future<Output = Result<T, sqlx::Error>>>,
) -> Result<T, sqlx::Error> {
    let outcome = work.instrument(span.clone()).await;
    if outcome.is_err() {
        span.record("otel.status_code", "ERROR");
    }
    outcome
}

impl Execute<'_, Postgres> for Statement {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        Ok(self.arguments.take())
    }

    fn persistent(&self) -> bool {
        self.is_named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_that_write_nothing_are_reads() {
        let is_read = |sql: &'static str| Statement::of(sql).unwrap().is_read();
        for read in [
            "SELECT 1",
            "  select updated_at FROM users",
            "WITH found AS (SELECT deleted_at FROM widgets) SELECT * FROM found",
        ] {
            assert!(is_read(read), "{read}");
        }
        for write in [
            "INSERT INTO users DEFAULT VALUES",
            "WITH gone AS (DELETE FROM users RETURNING id) SELECT * FROM gone",
            "with owner as (select 1) insert into widgets select * from owner",
            "VALUES (1)",
            "",
        ] {
            assert!(!is_read(write), "{write}");
        }
    }
}
