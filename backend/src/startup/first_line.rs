//! The first line of the log: version, environment and cache of this process.
//!
//! Come here to add a fact that an operator asks for first. It shows no address and no secret.

use crate::infrastructure::cache::{BackendKind, CacheOptions};
use crate::infrastructure::settings::{Environment, Settings};

/// Logs the line `starting`.
pub(super) fn log(settings: &Settings) {
    let options = CacheOptions::from(&settings.cache);
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let environment = match settings.server.environment {
        Environment::Development => "development",
        Environment::Production => "production",
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        profile,
        environment,
        backend = backend(&options),
        topology = topology(&options),
        near = options.backend == BackendKind::Redis && options.redis.near_max_bytes.is_some(),
        namespace = options.namespace,
        feed = options.enabled && settings.cache.cache_database_feed,
        metrics = settings.server.collects_metrics(),
        traces = settings.traces.tracing_otlp_endpoint.is_some(),
        "starting"
    );
}

/// The default backend as metrics and other lines name it.
fn backend(options: &CacheOptions) -> &'static str {
    match options.backend {
        _ if !options.enabled => "disabled",
        BackendKind::Redis => "redis",
        BackendKind::Memcached => "memcached",
        BackendKind::Memory => "memory",
    }
}

/// How the default backend's entries are spread over servers.
fn topology(options: &CacheOptions) -> String {
    let servers = options.memcached.servers.len();
    match options.backend {
        _ if !options.enabled => "none".to_owned(),
        BackendKind::Memory => "in process".to_owned(),
        BackendKind::Memcached if servers > 1 => format!("{servers} servers"),
        BackendKind::Redis if options.redis.sentinels.is_some() => "sentinel".to_owned(),
        BackendKind::Redis | BackendKind::Memcached => "single".to_owned(),
    }
}
