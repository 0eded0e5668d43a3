//! The reasons that the program does not start, as sentences for its operator.
//!
//! Come here to add a part whose start can fail.

use std::io;

use crate::infrastructure::cache::backends::BackendError;
use crate::infrastructure::database::{self, MigrationError};
use crate::infrastructure::http::ApiError;
use crate::infrastructure::metrics::StartMetricsError;
use crate::infrastructure::telemetry::LogError;
use crate::infrastructure::traces::StartTracesError;

/// The reason that the program does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The logs cannot be written.
    #[error("the logs cannot be started: {0}")]
    Logs(#[from] LogError),
    /// The spans cannot be sent.
    #[error("{0}")]
    Traces(#[from] StartTracesError),
    /// The metrics cannot be collected.
    #[error("the metrics cannot be started: {0}")]
    Metrics(#[from] StartMetricsError),
    /// The database is not available.
    #[error("the database is not available: {cause}; {}", database::advice(cause))]
    Database {
        /// The error of the connection.
        #[from]
        cause: sqlx::Error,
    },
    /// The tables are not up to date, and could not be migrated.
    #[error("{0}")]
    Migration(#[from] MigrationError),
    /// The settings describe no backend.
    #[error("the cache cannot be set up: {0}")]
    Cache(#[from] BackendError),
    /// Declared routes and policies do not fit together (C47).
    #[error("{}", .0.join("\n"))]
    Declarations(Vec<String>),
    /// The superuser could not be created.
    #[error("the superuser was not created: {0}")]
    Superuser(ApiError),
    /// The address cannot be listened on.
    #[error(
        "{address} cannot be listened on: {cause}; SERVER_HOST and {port_setting} choose another"
    )]
    Listen {
        /// The address.
        address: String,
        /// The variable that holds the port.
        port_setting: &'static str,
        /// The system's error.
        cause: io::Error,
    },
    /// The server failed.
    #[error("the server stopped: {0}")]
    Server(io::Error),
}

impl StartError {
    /// Adds the address to an error of the system.
    pub(super) fn unbound(
        host: &str,
        port: u16,
        port_setting: &'static str,
    ) -> impl Fn(io::Error) -> Self {
        let address = format!("{host}:{port}");
        move |cause| Self::Listen {
            address: address.clone(),
            port_setting,
            cause,
        }
    }
}
