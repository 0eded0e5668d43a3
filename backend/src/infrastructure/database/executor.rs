//! [`Database`], [`Scans`] and [`Transaction`] as executors of sqlx, so that `query!` and similar macros accept them.
//!
//! Come here only to add an operation of sqlx. All rows are collected before the first one is returned, so that a slow
//! reader never holds a connection.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryFutureExt, TryStreamExt, stream};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, Postgres, SqlStr};

use super::pool::{Database, Shared};
use super::statement::{Run, Statement};
use super::transaction::Transaction;

type Step = Either<PgQueryResult, PgRow>;
/// A statement that runs. It is in a box, so that no crate with statements compiles the work of the pool again.
pub(super) type Running<'e, T> = BoxFuture<'e, Result<T, Error>>;

const ALL: Run<Vec<Step>> =
    |connection, statement| Box::pin(connection.fetch_many(statement).try_collect());
const FIRST: Run<Option<PgRow>> = |connection, statement| connection.fetch_optional(statement);
const PREPARE: &str = "statements are prepared when they are first run, and not by themselves";

/// The executor of statements that read many rows: lists, searches and counts. They use at most half of the connections
/// at a time, so that they never delay a statement that reads one row.
///
/// A statement waits at most two seconds for its turn.
#[derive(Clone, Copy, Debug)]
pub struct Scans<'d>(&'d Database);

impl Database {
    /// The executor for statements that read many rows.
    #[must_use]
    pub fn scans(&self) -> Scans<'_> {
        Scans(self)
    }
}

/// Returns the collected steps as a stream.
fn steps(collected: Running<'_, Vec<Step>>) -> BoxStream<'_, Result<Step, Error>> {
    collected
        .map_ok(|steps| stream::iter(steps.into_iter().map(Ok)))
        .try_flatten_stream()
        .boxed()
}

fn unprepared<'e, T: Send + 'e>() -> Running<'e, T> {
    Box::pin(async { Err(Error::InvalidArgument(PREPARE.to_owned())) })
}

// The span around this large future costs 5 % of a request that reads one row, so a program without traces has none.

#[cfg(not(feature = "traces"))]
async fn run_in_span<T>(
    shared: &Arc<Shared>,
    statement: Statement,
    run: Run<T>,
    is_scan: bool,
) -> Result<T, Error> {
    shared.run(statement, run, is_scan).await
}

#[cfg(feature = "traces")]
async fn run_in_span<T>(
    shared: &Arc<Shared>,
    statement: Statement,
    run: Run<T>,
    is_scan: bool,
) -> Result<T, Error> {
    let span = statement.span();
    let work = std::pin::pin!(shared.run(statement, run, is_scan));
    super::statement::in_span(span, work).await
}

impl Database {
    fn run<T: Send + 'static>(
        &self,
        statement: Result<Statement, Error>,
        run: Run<T>,
    ) -> Running<'_, T> {
        Box::pin(async move { run_in_span(&self.shared, statement?, run, false).await })
    }
}

impl<'d> Scans<'d> {
    fn run<T: Send + 'static>(
        self,
        statement: Result<Statement, Error>,
        run: Run<T>,
    ) -> Running<'d, T> {
        Box::pin(async move { run_in_span(&self.0.shared, statement?, run, true).await })
    }
}

/// Implements `Executor` by the method `run` of the type. A macro, since no generic implementation of a foreign trait is
/// allowed.
macro_rules! executor {
    ($lifetime:lifetime, $executor:ty) => {
        impl<$lifetime> Executor<$lifetime> for $executor {
            type Database = Postgres;

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
            where
                $lifetime: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                steps(self.run(Statement::of(query), ALL))
            }

            fn fetch_optional<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
            where
                $lifetime: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                self.run(Statement::of(query), FIRST)
            }

            fn prepare_with<'e>(
                self,
                _: SqlStr,
                _: &'e [PgTypeInfo],
            ) -> BoxFuture<'e, Result<PgStatement, Error>>
            where
                $lifetime: 'e,
            {
                unprepared()
            }

            fn describe<'e>(self, _: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
            where
                $lifetime: 'e,
            {
                unprepared()
            }
        }
    };
}

executor!('d, &'d Database);
executor!('d, Scans<'d>);
executor!('t, &'t mut Transaction);
