//! The settings of the HTTP server (`ENVIRONMENT`, `SERVER_*`, `MANAGEMENT_PORT`).
//!
//! Come here to add or change such a setting. Sockets are bound in `startup::listeners`.

use garde::Validate;
use serde::Deserialize;

use super::variable::{Kind, Section, Variable};

/// The environment of the program.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Shows details: cache keys in `Cache-Status`.
    Development,
    /// Shows no details to clients.
    Production,
}

/// The variables of the server.
pub(super) const SECTION: Section = Section {
    title: "Server",
    variables: &[
        Variable {
            name: "ENVIRONMENT",
            kind: Kind::Choice(&["development", "production"]),
            default: "development",
            meaning: "Where the program runs; `production` hides cache keys from clients",
        },
        Variable {
            name: "SERVER_HOST",
            kind: Kind::Text("a host name or address"),
            default: "127.0.0.1",
            meaning: "Address to listen on; `0.0.0.0` for all",
        },
        Variable {
            name: "SERVER_PORT",
            kind: Kind::number("a port", 0, 65_535),
            default: "8000",
            meaning: "Port to listen on; 0 takes any free one. Where it is not set, `PORT` is understood too",
        },
        Variable {
            name: "SERVER_WORKERS",
            kind: Kind::number("a number of threads", 1, 1024),
            default: "",
            meaning: "Threads that serve; as many as there are cores if it is empty",
        },
        Variable {
            name: "SERVER_REQUEST_TIMEOUT",
            kind: Kind::number("seconds", 1, 3600),
            default: "30",
            meaning: "Seconds until a request without an answer is answered with 503",
        },
        Variable {
            name: "SERVER_KEEP_ALIVE",
            kind: Kind::number("seconds", 1, 3600),
            default: "75",
            meaning: "Seconds that a client has to send its next request, and to take a part of an answer; longer than the idle timeout of a load balancer in front",
        },
        Variable {
            name: "SERVER_MAX_CONNECTIONS",
            kind: Kind::number("a number of connections", 1, 1_000_000),
            default: "25600",
            meaning: "Connections that are open at a time; more wait to be accepted",
        },
        Variable {
            name: "SERVER_SHUTDOWN_DELAY",
            kind: Kind::number("seconds", 0, 300),
            default: "0",
            meaning: "Seconds between SIGTERM and the end of listening, in which readiness is 503: time for a load balancer to notice",
        },
        Variable {
            name: "MANAGEMENT_PORT",
            kind: Kind::number("a port", 0, 65_535),
            default: "",
            meaning: "Port of `SERVER_HOST` for operators: health, and `/metrics`, `/docs`, `/openapi.json` and `/cache`, which `SERVER_PORT` then does not serve; 0 takes any free one. Without it they are served on `SERVER_PORT` in development, and nowhere in production",
        },
        Variable {
            name: "METRICS_ENABLED",
            kind: Kind::Flag,
            default: "true",
            meaning: "Collects metrics and serves them as `/metrics`, if a port serves the routes for operators; `false` saves a hit about 2 % of its time",
        },
    ],
};

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
    /// `SERVER_WORKERS`: threads that serve requests; without it, as many as there are cores.
    #[garde(inner(range(min = 1, max = 1024)))]
    pub server_workers: Option<usize>,
    /// `SERVER_REQUEST_TIMEOUT`: seconds until a request without an answer is answered with 503.
    #[garde(range(min = 1, max = 3600))]
    pub server_request_timeout: u64,
    /// `SERVER_KEEP_ALIVE`: seconds that a client has to send its next request, and to take a part of an answer, and up to a
    /// quarter more. Choose more than the idle timeout of a load balancer in front, which would otherwise use closed connections.
    #[garde(range(min = 1, max = 3600))]
    pub server_keep_alive: u64,
    /// `SERVER_MAX_CONNECTIONS`: the most open connections; more wait to be accepted.
    #[garde(range(min = 1, max = 1_000_000))]
    pub server_max_connections: usize,
    /// `SERVER_SHUTDOWN_DELAY`: seconds between SIGTERM and the end of listening, in which readiness is
    /// 503 and requests are answered as before.
    #[garde(range(min = 0, max = 300))]
    pub server_shutdown_delay: u64,
    /// `MANAGEMENT_PORT`: the port of the routes for operators, 0 for any free one; without it, they have none of their own.
    #[garde(skip)]
    pub management_port: Option<u16>,
    /// `METRICS_ENABLED`: whether metrics are collected where a port serves them.
    #[garde(skip)]
    pub metrics_enabled: bool,
}

impl ServerSettings {
    /// Whether metrics are collected: they are turned on, and a port serves the routes for operators.
    #[must_use]
    pub fn collects_metrics(&self) -> bool {
        let is_served =
            self.environment == Environment::Development || self.management_port.is_some();
        self.metrics_enabled && is_served
    }
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
            management_port: None,
            metrics_enabled: true,
        }
    }
}
