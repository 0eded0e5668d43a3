//! Transactions.
//!
//! Come here to change how a transaction begins and ends. The path of a single statement is in `pool`, not here.

use std::pin::pin;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Error, Executor};
use tokio::time::Instant;

use super::executor::Running;
use super::lease::Lease;
use super::pool::Shared;
use super::statement::{Run, Statement, in_span};

/// A transaction, rolled back unless it is committed. `&mut Transaction` is a `PgExecutor`.
///
/// Each statement has the deadline of a single one; between two of them pass at most
/// `DATABASE_IDLE_TRANSACTION_TIMEOUT` seconds. Nothing in it is retried.
#[derive(Debug)]
pub struct Transaction {
    lease: Lease,
    shared: Arc<Shared>,
    /// Whether a statement has failed: the statements before it cannot be committed.
    has_failed: bool,
}

impl Transaction {
    pub(super) fn begin(shared: &Arc<Shared>) -> Running<'_, Self> {
        Box::pin(Self::begin_within(shared))
    }

    async fn begin_within(shared: &Arc<Shared>) -> Result<Self, Error> {
        let deadline = Instant::now() + shared.statement_deadline;
        let work = pin!(async {
            let mut lease = shared.lease(None).await?;
            let begin = Statement::of(shared.begin.clone())?;
            lease.set_in_transaction(true);
            let outcome = lease.begin_use(deadline)?.execute(begin).await;
            lease.finished(&outcome);
            outcome.map(|_| lease)
        });
        let lease = shared.within(deadline, work).await?;
        Ok(Self {
            lease,
            shared: Arc::clone(shared),
            has_failed: false,
        })
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// The transaction is rolled back, since a statement has failed or a constraint is violated. After a
    /// lost connection it is unknown whether it was committed.
    pub async fn commit(mut self) -> Result<(), Error> {
        if self.has_failed {
            let message = "a statement of the transaction has failed: it is rolled back";
            return Err(Error::InvalidArgument(message.to_owned()));
        }
        let commit = Statement::of(AssertSqlSafe("COMMIT"));
        let run: Run<_> = |connection, statement| connection.execute(statement);
        self.run(commit, run).await?;
        self.lease.set_in_transaction(false);
        Ok(())
    }

    /// Runs a statement of the transaction.
    ///
    /// # Errors
    /// The errors of the statement, or no answer in time.
    pub(super) fn run<T: Send + 'static>(
        &mut self,
        statement: Result<Statement, Error>,
        run: Run<T>,
    ) -> Running<'_, T> {
        Box::pin(async move { self.run_within(statement?, run).await })
    }

    async fn run_within<T>(&mut self, statement: Statement, run: Run<T>) -> Result<T, Error> {
        let deadline = Instant::now() + self.shared.statement_deadline;
        let lease = &mut self.lease;
        let span = statement.span();
        let statement = if self.shared.has_pooler {
            statement.unnamed()
        } else {
            statement
        };
        let work = pin!(async {
            let outcome = run(lease.begin_use(deadline)?, statement).await;
            lease.finished(&outcome);
            outcome
        });
        let work = pin!(self.shared.within(deadline, work));
        let outcome = in_span(span, work).await;
        self.has_failed |= outcome.is_err();
        outcome
    }
}
