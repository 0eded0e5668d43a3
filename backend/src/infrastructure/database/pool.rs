//! The pool: connections with deadlines, for statements one by one or in a transaction.
//!
//! Come here to see how a statement of a module gets a connection. The wait for a connection is in `waiting`. Rules of single
//! connections are in `lease`, those of idle ones in `suspicion`, those of a silent server in `outage`.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, Error, PgPool, SqlSafeStr, SqlStr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::connecting::{Commits, Connector, is_unexpected_pooler};
use super::errors::{ConnectionState, state_after, timed_out};
use super::measurements::PoolMetrics;
use super::migrations::report_newer;
use super::outage::Outage;
use super::probe::{NotReady, Probe};
use super::statement::{Run, Statement};
use super::suspicion::Suspicion;
use super::transaction::Transaction;
use crate::settings::DatabaseSettings;

/// The time between the server's statement timeout and the deadline here. So the server's own error arrives first.
const MARGIN: Duration = Duration::from_millis(500);
/// The longest time for an answer before the server is checked.
const SUSPICIOUS: Duration = Duration::from_secs(2);
/// The longest deadline of a check.
const CHECK: Duration = Duration::from_millis(2500);
/// The most repetitions of a read whose connection has died.
const REPETITIONS: u32 = 3;

/// The database, shared by all requests. A clone is the same database.
///
/// `&Database` is a `PgExecutor`: each statement runs on a connection of the pool. It is answered or
/// fails within `DATABASE_STATEMENT_TIMEOUT` and half a second, the wait for a connection included. A
/// statement that only reads is sent again, three times at most, if its connection has died.
#[derive(Clone, Debug)]
pub struct Database {
    pub(super) shared: Arc<Shared>,
}

/// The state that the clones of a [`Database`] share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pool: PgPool,
    pub(super) suspicion: Arc<Suspicion>,
    pub(super) outage: Outage,
    pub(super) probe: Probe,
    pub(super) metrics: PoolMetrics,
    /// The deadline of one statement.
    pub(super) statement_deadline: Duration,
    /// The beginning of a transaction.
    pub(super) begin: SqlStr,
    /// Whether there is a pooler. Then each statement needs a transaction, and no statement has a name.
    pub(super) has_pooler: bool,
    connector: Connector,
    pub(super) connect_timeout: Duration,
    suspicious: Duration,
    scans: Arc<Semaphore>,
    /// A place for each connection that the pool may have.
    pub(super) places: Arc<Semaphore>,
}

impl Database {
    /// A database that is connected when it is first used.
    ///
    /// # Errors
    /// `DATABASE_URL` cannot be parsed.
    pub fn new(settings: &DatabaseSettings) -> Result<Self, Error> {
        Self::with("requests", settings, Commits::Durable)
    }

    /// The same with a pool of another name in metrics, for a task that does not wait for requests, and that does again what a
    /// crash of the database has undone: its commits do not wait for the disk.
    ///
    /// # Errors
    /// `DATABASE_URL` cannot be parsed.
    pub fn for_repeatable_work(
        pool_name: &'static str,
        settings: &DatabaseSettings,
    ) -> Result<Self, Error> {
        Self::with(pool_name, settings, Commits::Asynchronous)
    }

    fn with(
        pool_name: &'static str,
        settings: &DatabaseSettings,
        commits: Commits,
    ) -> Result<Self, Error> {
        let connector = Connector::for_requests(settings, commits)?;
        let statement_timeout = Duration::from_secs(settings.database_statement_timeout);
        let connect_timeout = Duration::from_secs(settings.database_connect_timeout);
        let suspicion = Arc::new(Suspicion::default());
        let (checked, suspected) = (connector.clone(), Arc::clone(&suspicion));
        let pool = PgPoolOptions::new()
            .max_connections(settings.database_pool_size)
            .acquire_timeout(connect_timeout)
            // A test would cost every statement a round trip. `suspicion` pings only with a reason.
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let connector = checked.clone();
                Box::pin(async move { connector.check(connection).await })
            })
            .before_acquire(move |connection, idle| {
                let suspicion = Arc::clone(&suspected);
                Box::pin(async move { Ok(suspicion.accepts(connection, idle.idle_for).await) })
            })
            .connect_lazy_with(connector.options.clone());
        let most = usize::try_from(settings.database_pool_size).unwrap_or(usize::MAX);
        let shared = Shared {
            pool,
            suspicion,
            outage: Outage::default(),
            metrics: PoolMetrics::new(pool_name),
            probe: Probe::new(
                connector.clone(),
                CHECK.min(statement_timeout / 2 + Duration::from_secs(1)),
            ),
            statement_deadline: statement_timeout + MARGIN,
            begin: begin(settings, commits),
            has_pooler: settings.database_pgbouncer,
            connector,
            connect_timeout,
            suspicious: SUSPICIOUS.min(statement_timeout / 2),
            scans: Arc::new(Semaphore::new((most / 2).max(1))),
            places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Connects once, to find mistakes in the settings. Without `must_be_up`, at a start that does not migrate, tables that are
    /// newer than the program are logged.
    ///
    /// # Errors
    /// A pooler that the settings do not name. With `must_be_up` also a database that is not available
    /// within `DATABASE_CONNECT_TIMEOUT`.
    pub async fn check_connection(&self, must_be_up: bool) -> Result<(), Error> {
        let shared = &self.shared;
        match shared
            .connector
            .connect_within(shared.connect_timeout)
            .await
        {
            Ok(mut connection) => {
                if !must_be_up {
                    let _ = timeout(shared.connect_timeout, report_newer(&mut connection)).await;
                }
                // The connection is closed in order, unless that takes long.
                let _ = timeout(MARGIN, connection.close()).await;
                Ok(())
            }
            Err(error) if must_be_up || is_unexpected_pooler(&error) => Err(error),
            Err(error) => {
                tracing::warn!("the database is not available yet: {error}");
                Ok(())
            }
        }
    }

    /// Whether the database can serve this program now, asked over a connection of its own.
    ///
    /// # Errors
    /// The reason why it cannot.
    pub async fn check_readiness(&self) -> Result<(), NotReady> {
        self.shared.probe.check().await
    }

    /// Whether a request waits for a connection now. Then the database is what all requests wait for.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        self.shared.metrics.is_anyone_waiting()
    }

    /// Begins a transaction. It is rolled back unless it is committed.
    ///
    /// # Errors
    /// No connection in time, or one that has died: nothing has been changed.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        Transaction::begin(&self.shared).await
    }

    /// Closes all connections, once those in use are back.
    pub async fn close(&self) {
        self.shared.pool.close().await;
    }
}

/// The statement that begins a transaction. Behind a pooler it also sets the deadlines and what a commit waits for, because
/// those of the connection would apply to another server connection.
fn begin(settings: &DatabaseSettings, commits: Commits) -> SqlStr {
    if !settings.database_pgbouncer {
        return "BEGIN".into_sql_str();
    }
    sqlx::AssertSqlSafe(format!(
        "BEGIN; SET LOCAL statement_timeout = '{}s'; SET LOCAL lock_timeout = '{}s'; \
         SET LOCAL idle_in_transaction_session_timeout = '{}s'{}",
        settings.database_statement_timeout,
        settings.database_lock_timeout,
        settings.database_idle_transaction_timeout,
        match commits {
            Commits::Durable => "",
            Commits::Asynchronous => "; SET LOCAL synchronous_commit = off",
        },
    ))
    .into_sql_str()
}

impl Shared {
    /// Runs a statement by itself. `is_scan` is for [`Database::scans`].
    ///
    /// # Errors
    /// The errors of the statement, or no answer in time.
    pub(super) async fn run<T>(
        self: &Arc<Self>,
        mut statement: Statement,
        run: Run<T>,
        is_scan: bool,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + self.statement_deadline;
        // The future is pinned here. It has many kilobytes, and each function that takes it by value would copy it.
        let work = pin!(async {
            let turn = if is_scan {
                Some(self.turn(deadline).await?)
            } else {
                None
            };
            // Where many connections have died at once, the next attempt may get another dead one.
            let mut repetitions = if statement.is_read() { REPETITIONS } else { 0 };
            loop {
                let again = (repetitions > 0).then(|| statement.clone());
                let outcome = self.attempt(statement, run, turn.clone(), deadline).await;
                match (outcome, again) {
                    (Err(error), Some(again)) if is_worth_another(&error) => {
                        tracing::debug!("reading again over another connection: {error}");
                        repetitions -= 1;
                        statement = again;
                    }
                    (outcome, _) => return outcome,
                }
            }
        });
        self.within(deadline, work).await
    }

    async fn attempt<T>(
        self: &Arc<Self>,
        statement: Statement,
        run: Run<T>,
        turn: Option<Arc<OwnedSemaphorePermit>>,
        deadline: Instant,
    ) -> Result<T, Error> {
        let mut lease = self.lease(turn).await?;
        let connection = lease.begin_use(deadline)?;
        let outcome = if self.has_pooler {
            // The future is in a box, so that it does not enlarge the future of a statement without a pooler.
            Box::pin(async {
                let mut transaction = connection.begin_with(self.begin.clone()).await?;
                let answer = run(&mut transaction, statement.unnamed()).await?;
                transaction.commit().await?;
                Ok(answer)
            })
            .await
        } else {
            run(connection, statement).await
        };
        lease.finished(&outcome);
        outcome
    }

    /// Waits for the work until the deadline, and not at all during an outage.
    ///
    /// # Errors
    /// The errors of the work, or no answer in time.
    pub(super) async fn within<T>(
        self: &Arc<Self>,
        deadline: Instant,
        mut work: Pin<&mut impl Future<Output = Result<T, Error>>>,
    ) -> Result<T, Error> {
        if self.outage.is_on() {
            return Err(timed_out(Duration::ZERO));
        }
        if let Ok(outcome) = timeout(self.suspicious, work.as_mut()).await {
            return outcome;
        }
        Outage::suspect(self);
        tokio::select! {
            biased;
            outcome = timeout_at(deadline, work) => outcome.unwrap_or_else(|_| {
                self.suspicion.ping_idle();
                Err(timed_out(self.statement_deadline))
            }),
            () = self.outage.begins() => Err(timed_out(deadline - Instant::now())),
        }
    }

    async fn turn(&self, deadline: Instant) -> Result<Arc<OwnedSemaphorePermit>, Error> {
        let wait = deadline.min(Instant::now() + SUSPICIOUS);
        match timeout_at(wait, Arc::clone(&self.scans).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(Arc::new(turn)),
            Ok(Err(_)) => Err(Error::PoolClosed),
            Err(_) => Err(Error::PoolTimedOut),
        }
    }
}

/// Whether a read with this error may be repeated over another connection.
fn is_worth_another(error: &Error) -> bool {
    matches!(
        state_after(error),
        ConnectionState::Dead | ConnectionState::Outdated
    )
}
