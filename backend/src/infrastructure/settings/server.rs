//! Where the service listens (`ENVIRONMENT`, `SERVER_*`).

use garde::Validate;
use serde::Deserialize;

/// Where the program runs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Shows more: cache keys in `Cache-Status`.
    Development,
    /// Shows nothing that a client need not know.
    Production,
}

/// Settings of the HTTP server.
#[derive(Clone, Debug, Deserialize, Validate)]
#[serde(default)]
pub struct ServerSettings {
    /// `ENVIRONMENT`: `development` or `production`.
    #[garde(skip)]
    pub environment: Environment,
    /// `SERVER_HOST`: the address to listen on.
    #[garde(length(min = 1))]
    pub server_host: String,
    /// `SERVER_PORT`: 0 for any free port.
    #[garde(skip)]
    pub server_port: u16,
    /// `SERVER_WORKERS`: threads that serve; as many as there are cores if it is not set.
    #[garde(inner(range(min = 1, max = 1024)))]
    pub server_workers: Option<usize>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            environment: Environment::Development,
            server_host: "127.0.0.1".to_owned(),
            server_port: 8000,
            server_workers: None,
        }
    }
}
