//! Start-up: building all parts and connecting them.
//!
//! Come here to change the order of the start or of the end. Parts must not be built elsewhere.

mod accounts;
mod application;
mod check;
mod declarations;
mod first_line;
mod management;
mod shown_entry;
mod signals;
mod start_error;
mod upkeep;

use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use secrecy::ExposeSecret;
use tokio::time::{timeout, timeout_at};

use crate::PROGRAM;
use crate::infrastructure::auth::{Attempts, Passwords};
use crate::infrastructure::cache::{Cache, CacheOptions};
use crate::infrastructure::database::{self, Database};
use crate::infrastructure::database_feed::{self, DatabaseFeed, FeedAge};
use crate::infrastructure::http::close_connections;
use crate::infrastructure::metrics::Metrics;
use crate::infrastructure::security_log::SecurityLog;
use crate::infrastructure::server::{self, Listeners, SHUTDOWN_SECONDS, Turns};
use crate::infrastructure::settings::{
    CacheSettings, DatabaseSettings, Environment, ServerSettings, Settings,
};
use crate::infrastructure::telemetry::{self, Log};
use crate::infrastructure::traces::Traces;
use crate::interfaces::{self, Draining};
use crate::modules;

use accounts::create_administrator;
pub use accounts::create_superuser;
use application::Applications;
pub use check::{Finding, check};
use management::Management;
pub use shown_entry::{NoEntry, ShownEntry};
pub use signals::{Signals, Stop};
pub use start_error::StartError;
pub use upkeep::LOCK as UPKEEP_LOCK;
use upkeep::Upkeep;

/// The shortest time for requests on `MANAGEMENT_PORT` and for the delivery of pending cache deletions, after SIGINT too.
const LEAVE: Duration = Duration::from_secs(2);
/// The longest wait for used database connections after the server has stopped, and for the receiver of traces.
const CLOSE: Duration = Duration::from_secs(2);

/// Serves until SIGTERM or SIGINT. After SIGTERM requests under way are finished first.
///
/// # Errors
/// The reason that the program cannot start, as a sentence for its operator.
pub async fn serve(settings: Settings, signals: &mut Signals) -> Result<(), StartError> {
    // Its end writes the last lines of the log.
    let receiver = settings.traces.tracing_otlp_endpoint.as_ref();
    let traces = receiver.map(|address| Traces::start(PROGRAM, address.expose_secret()));
    let traces = traces.transpose()?;
    let log = telemetry::initialise(&settings.logging, traces.as_ref())?;
    first_line::log(&settings);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    // Before the parts, which keep handles of their metrics.
    let metrics = start_metrics(&settings.server, &log)?;
    let cache_options = CacheOptions {
        record_outcomes: telemetry::writes_requests() || traces.is_some(),
        ..CacheOptions::from(&settings.cache)
    };
    check_declarations(&settings.cache, &cache_options)?;
    // A wait for the database, or for another instance that migrates, ends at a signal.
    let (database, passwords) = tokio::select! {
        biased;
        _ = signals.next() => {
            tracing::info!("stopped before it listened");
            return Ok(());
        }
        prepared = prepare_database(&settings) => prepared?,
    };
    // No signal ends this: an instance that the cache has listed must leave it.
    let is_development = settings.server.environment == Environment::Development;
    let cache = Cache::connect(&cache_options, is_development).await?;
    let protection = &settings.protection;
    let window = Duration::from_secs(protection.login_window);
    let parts = Parts {
        database,
        passwords,
        attempts: Attempts::new(cache.clone(), protection.login_attempts, window),
        cache,
        feed_age: FeedAge::default(),
        metrics,
        traces: traces.clone(),
        security_log: log.security.clone(),
    };
    let (database, cache) = (parts.database.clone(), parts.cache.clone());
    let served = async {
        let _feed = start_feed(&settings, &parts).await?;
        run_server(&settings, parts, signals).await
    };
    if let Err(error) = served.await {
        // The next start would wait for this instance, as for one that was killed.
        cache.leave(Instant::now() + LEAVE).await;
        return Err(error);
    }
    // A connection that is not returned in this time ends with the process.
    let _ = timeout(CLOSE, database.close()).await;
    if let Some(traces) = traces {
        traces.stop(CLOSE).await;
    }
    Ok(())
}

/// The parts that all workers share.
#[derive(Clone)]
struct Parts {
    database: Database,
    passwords: Passwords,
    attempts: Attempts,
    cache: Cache,
    feed_age: FeedAge,
    metrics: Option<Metrics>,
    traces: Option<Traces>,
    security_log: SecurityLog,
}

fn check_declarations(settings: &CacheSettings, options: &CacheOptions) -> Result<(), StartError> {
    let map = interfaces::map();
    declarations::check(&map, options.backend_names().as_deref())?;
    if settings.cache_enabled && !settings.cache_database_feed {
        declarations::check_without_feed(&map)?;
    }
    Ok(())
}

/// Waits for the database, brings its tables up to date and creates the administrator, as far as the settings ask for it.
async fn prepare_database(settings: &Settings) -> Result<(Database, Passwords), StartError> {
    let database = Database::new(&settings.database)?;
    // Both connect, so both find a mistake in `DATABASE_URL`.
    if settings.database.database_auto_migrate {
        database::migrate(&settings.database).await?;
    } else {
        database.check_connection(false).await?;
    }
    let passwords = Passwords::new();
    create_administrator(&database, &passwords, &settings.administrator).await?;
    Ok((database, passwords))
}

/// Collects metrics if a port serves them: without one they would cost every request for nothing.
fn start_metrics(settings: &ServerSettings, log: &Log) -> Result<Option<Metrics>, StartError> {
    if !settings.collects_metrics() {
        return Ok(None);
    }
    let metrics = Metrics::start(log.dropped_lines.clone())?;
    Cache::describe_metrics();
    Database::describe_metrics();
    FeedAge::describe_metrics();
    Passwords::describe_metrics();
    Ok(Some(metrics))
}

/// Starts the feed. Changes from before the start are delivered before the server listens.
async fn start_feed(settings: &Settings, parts: &Parts) -> Result<DatabaseFeed, StartError> {
    let database = database_feed::own_database(&settings.database)?;
    if !settings.cache.cache_enabled || !settings.cache.cache_database_feed {
        return Ok(DatabaseFeed::condense_only(database));
    }
    let changes = modules::changes();
    // Over a connection that the feed needs next: each new one lengthens the start.
    if !declarations::check_triggers(&database, &changes).await? {
        parts.cache.doubt_recording();
    }
    let requests = &parts.database;
    let age = &parts.feed_age;
    Ok(DatabaseFeed::start(database, requests, &parts.cache, &changes, age).await)
}

async fn run_server(
    settings: &Settings,
    parts: Parts,
    signals: &mut Signals,
) -> Result<(), StartError> {
    let draining = Draining::default();
    let leaving = parts.cache.clone();
    let upkeep = Upkeep::start(&parts, &settings.accounts, &draining);
    let applications = Applications::new(settings, parts, draining.clone());
    let application = applications.public();
    let settings = &settings.server;
    // An impossible policy stops the program here, and not a worker thread of a running one.
    application.check();

    let (host, port) = (settings.server_host.as_str(), settings.server_port);
    let unbound = StartError::unbound(host, port, "SERVER_PORT");
    let listeners = Listeners::bind(host, port).map_err(&unbound)?;
    let turns = Turns::default();
    let management = Management::start(settings, &applications.management(), &turns)?;
    let server = server::serve(settings, &listeners, &turns, &application).map_err(&unbound)?;
    for address in listeners.addresses().map_err(&unbound)? {
        tracing::info!(%address, "listening");
    }
    let handle = server.handle();
    let delay = Duration::from_secs(settings.server_shutdown_delay);
    let mut until = Instant::now();
    let stopped = tokio::select! {
        outcome = server => outcome.map_err(StartError::Server),
        () = stop(signals, (&handle, &listeners, &turns), &leaving, (delay, &draining), &mut until) => Ok(()),
    };
    // The management server ends last, so that readiness is answered while requests are finished.
    if let Some(management) = management {
        management.stop(until.max(Instant::now() + LEAVE)).await;
    }
    let leave_until = until.max(Instant::now() + LEAVE);
    tokio::join!(upkeep.stop(), leaving.leave(leave_until));
    stopped
}

/// Stops the server at the next signal. A second one ends the delay, a third one the wait for requests
/// under way.
///
/// `until` becomes the end of the shutdown time.
async fn stop(
    signals: &mut Signals,
    (server, listeners, turns): (&ServerHandle, &Listeners, &Turns),
    cache: &Cache,
    (delay, draining): (Duration, &Draining),
    until: &mut Instant,
) {
    let is_graceful = signals.next().await == Stop::Gracefully;
    if is_graceful {
        tracing::info!("stopping: requests under way are finished first");
        draining.begin();
        let _ = timeout(delay, signals.next()).await;
    }
    let end = Instant::now() + Duration::from_secs(if is_graceful { SHUTDOWN_SECONDS } else { 0 });
    *until = end;
    let stopping = async {
        if is_graceful {
            server.pause().await;
            close_connections();
            // Requests that have arrived by now are under way afterwards, and so they are waited for.
            turns.take(end).await;
            // Not before the server has paused: it would log the refusal as a failure of its socket.
            listeners.refuse();
            // This comes before the end of the workers, because their tasks end with them.
            cache.finish_tasks(end).await;
        }
        if timeout_at(end.into(), server.stop(is_graceful))
            .await
            .is_err()
        {
            server.stop(false).await;
        }
    };
    tokio::select! {
        () = stopping => {}
        _ = signals.next() => *until = Instant::now(),
    }
}

/// Brings the tables up to date.
///
/// # Errors
/// The database is unavailable or refuses.
pub async fn migrate(settings: &DatabaseSettings) -> Result<(), StartError> {
    Ok(database::migrate(settings).await?)
}
