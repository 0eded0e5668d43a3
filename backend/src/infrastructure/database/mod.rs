//! PostgreSQL: the pool, deadlines, transactions, migrations and readiness.
//!
//! Come here to change how the service reaches its database. Modules take a [`Database`], a [`Transaction`] or any
//! `PgExecutor`. They make no connections or pools of their own, which would have no deadlines and would fail behind
//! `PgBouncer`.

mod connecting;
mod errors;
mod executor;
mod extractor;
mod lease;
mod measurements;
mod migration_plan;
mod migrations;
mod outage;
mod page;
mod pool;
mod probe;
mod statement;
mod suspicion;
mod transaction;
mod waiting;

pub use connecting::advice;
pub use executor::Scans;
pub use migration_plan::{MigrationPlan, MigrationTarget};
pub use migrations::{MIGRATOR, MigrationError, migrate};
pub use pool::Database;
pub use probe::NotReady;
pub use transaction::Transaction;
