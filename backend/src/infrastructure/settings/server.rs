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
    /// `SERVER_REQUEST_TIMEOUT`: seconds until a request without an answer is answered with 503.
    #[garde(range(min = 1, max = 3600))]
    pub server_request_timeout: u64,
    /// `SERVER_KEEP_ALIVE`: seconds that an idle connection stays open. Longer than the idle timeout of
    /// a load balancer in front, which otherwise meets closed connections.
    #[garde(range(min = 1, max = 3600))]
    pub server_keep_alive: u64,
    /// `SERVER_MAX_CONNECTIONS`: connections that are open at a time; more wait to be accepted.
    #[garde(range(min = 1, max = 1_000_000))]
    pub server_max_connections: usize,
    /// `SERVER_SHUTDOWN_DELAY`: seconds between SIGTERM and the end of listening, in which readiness is
    /// 503 and requests are answered as before.
    #[garde(range(min = 0, max = 300))]
    pub server_shutdown_delay: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            environment: Environment::Development,
            server_host: "127.0.0.1".to_owned(),
            server_port: 8000,
            server_workers: None,
            server_request_timeout: 30,
            server_keep_alive: 75,
            server_max_connections: 25_600,
            server_shutdown_delay: 0,
        }
    }
}
