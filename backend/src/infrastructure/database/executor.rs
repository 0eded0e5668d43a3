//! [`Database`], [`Scans`] and [`Transaction`] as executors of sqlx, so that `query!` and similar macros accept them.
//!
//! Come here only to add an operation of sqlx. All rows are collected before the first one is returned, so that a slow
//! reader never holds a connection.

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryFutureExt, TryStreamExt, stream};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, Postgres, SqlStr};

use super::pool::Database;
use super::statement::{Run, Statement};
use super::transaction::Transaction;

type Step = Either<PgQueryResult, PgRow>;

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
fn steps<'e>(
    collected: impl Future<Output = Result<Vec<Step>, Error>> + Send + 'e,
) -> BoxStream<'e, Result<Step, Error>> {
    collected
        .map_ok(|steps| stream::iter(steps.into_iter().map(Ok)))
        .try_flatten_stream()
        .boxed()
}

fn unprepared<'e, T: Send + 'e>() -> BoxFuture<'e, Result<T, Error>> {
    Box::pin(async { Err(Error::InvalidArgument(PREPARE.to_owned())) })
}

// The span around this large future costs 5 % of a request that reads one row, so a program without traces has none.

#[cfg(not(feature = "traces"))]
impl Database {
    async fn run<T>(&self, statement: Statement, run: Run<T>) -> Result<T, Error> {
        self.shared.run(statement, run, false).await
    }
}

#[cfg(not(feature = "traces"))]
impl Scans<'_> {
    async fn run<T>(&self, statement: Statement, run: Run<T>) -> Result<T, Error> {
        self.0.shared.run(statement, run, true).await
    }
}

#[cfg(feature = "traces")]
impl Database {
    async fn run<T>(&self, statement: Statement, run: Run<T>) -> Result<T, Error> {
        let span = statement.span();
        let work = std::pin::pin!(self.shared.run(statement, run, false));
        super::statement::in_span(span, work).await
    }
}

#[cfg(feature = "traces")]
impl Scans<'_> {
    async fn run<T>(&self, statement: Statement, run: Run<T>) -> Result<T, Error> {
        let span = statement.span();
        let work = std::pin::pin!(self.0.shared.run(statement, run, true));
        super::statement::in_span(span, work).await
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
                let statement = Statement::of(query);
                steps(async move { self.run(statement?, ALL).await })
            }

            fn fetch_optional<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
            where
                $lifetime: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                let statement = Statement::of(query);
                Box::pin(async move { self.run(statement?, FIRST).await })
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
