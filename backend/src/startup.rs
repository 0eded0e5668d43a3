//! The only place that builds things and puts them together.

use std::io;

use actix_web::middleware::{Condition, from_fn};
use actix_web::{App, HttpServer, web};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::migrate::MigrateError;
use tracing_actix_web::TracingLogger;
use tracing_subscriber::util::TryInitError;

use crate::infrastructure::auth::Passwords;
use crate::infrastructure::cache::Cache;
use crate::infrastructure::cache::backends::BackendError;
use crate::infrastructure::database;
use crate::infrastructure::http::{ApiError, apply_conventions};
use crate::infrastructure::settings::{
    AdministratorSettings, DatabaseSettings, Environment, Settings,
};
use crate::infrastructure::telemetry::{self, AccessLog};
use crate::interfaces;
use crate::modules::users::{self, UserCreate};

/// Seconds that requests under way have to finish after SIGTERM.
const SHUTDOWN_SECONDS: u64 = 30;

/// Why the program does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The logs cannot be written.
    #[error("the logs cannot be started: {0}")]
    Logs(#[from] TryInitError),
    /// The database is not there, or is not as it should be.
    #[error(
        "the database is not available: {0}; is PostgreSQL running, and is DATABASE_URL right?"
    )]
    Database(#[from] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("the database could not be migrated: {cause}; {}", advice(cause))]
    Migration {
        /// What sqlx said.
        #[from]
        cause: MigrateError,
    },
    /// The settings describe no backend.
    #[error("the cache cannot be set up: {0}")]
    Cache(#[from] BackendError),
    /// The superuser could not be created.
    #[error("the superuser was not created: {0}")]
    Superuser(ApiError),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {cause}; SERVER_HOST and SERVER_PORT choose another")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The server broke.
    #[error("the server stopped: {0}")]
    Server(io::Error),
}

/// What to do about migrations that do not run.
fn advice(error: &MigrateError) -> &'static str {
    match error {
        MigrateError::VersionMismatch(_) | MigrateError::VersionMissing(_) => {
            "a migration that was applied must not change: add another, or begin with an empty database"
        }
        _ => "is PostgreSQL running, and is DATABASE_URL right?",
    }
}

/// Serves until SIGTERM or SIGINT. After SIGTERM requests under way are finished first.
///
/// # Errors
/// Whatever keeps the program from starting, in a sentence for whoever starts it.
pub async fn serve(settings: Settings) -> Result<(), StartError> {
    // Writes the last lines when it goes.
    let _log = telemetry::initialise(&settings.logging)?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let pool = database::pool(&settings.database)?;
    if settings.database.database_auto_migrate {
        database::MIGRATOR.run(&pool).await?;
    }
    let passwords = Passwords::new();
    create_administrator(&pool, &passwords, &settings.administrator).await?;
    let is_development = settings.server.environment == Environment::Development;
    let cache = Cache::connect(&settings.cache, is_development).await?;

    let database = web::Data::new(pool.clone());
    let cache = web::Data::new(cache);
    let passwords = web::Data::new(passwords);
    let is_logged = telemetry::writes_requests();
    let app = move || {
        App::new()
            .app_data(web::Data::clone(&database))
            .app_data(web::Data::clone(&cache))
            .app_data(web::Data::clone(&passwords))
            // The first to be wrapped is the innermost.
            .wrap(Condition::new(is_logged, TracingLogger::<AccessLog>::new()))
            .wrap(from_fn(apply_conventions))
            .configure(interfaces::configure)
    };
    // A policy that cannot be stops the program here, and not a worker thread of a running one.
    drop(app());

    let (host, port) = (
        settings.server.server_host.as_str(),
        settings.server.server_port,
    );
    let mut server = HttpServer::new(app).shutdown_timeout(SHUTDOWN_SECONDS);
    if let Some(workers) = settings.server.server_workers {
        server = server.workers(workers);
    }
    let server = server
        .bind((host, port))
        .map_err(|cause| StartError::Listen {
            address: format!("{host}:{port}"),
            cause,
        })?;
    for address in server.addrs() {
        tracing::info!(%address, "listening");
    }
    server.run().await.map_err(StartError::Server)?;
    pool.close().await;
    Ok(())
}

/// Brings the tables up to date.
///
/// # Errors
/// Where the database is away or refuses.
pub async fn migrate(settings: &DatabaseSettings) -> Result<(), StartError> {
    Ok(database::MIGRATOR.run(&database::pool(settings)?).await?)
}

/// Creates a superuser; `false` where there is one of that name.
///
/// # Errors
/// Where the database is away, or somebody else has the name or the address.
pub async fn create_superuser(
    settings: &DatabaseSettings,
    new: UserCreate,
) -> Result<bool, StartError> {
    let pool = database::pool(settings)?;
    let passwords = Passwords::new();
    users::create_superuser(&pool, &passwords, new)
        .await
        .map_err(StartError::Superuser)
}

/// The first superuser, from `ADMIN_*`.
async fn create_administrator(
    pool: &PgPool,
    passwords: &Passwords,
    settings: &AdministratorSettings,
) -> Result<(), StartError> {
    let (Some(username), Some(email), Some(password)) = (
        &settings.admin_username,
        &settings.admin_email,
        &settings.admin_password,
    ) else {
        return Ok(());
    };
    let new = UserCreate {
        username: username.clone(),
        email: email.to_lowercase(),
        password: password.expose_secret().into(),
        name: username.clone(),
    };
    match users::create_superuser(pool, passwords, new).await {
        Ok(true) => tracing::info!(username, "created the first superuser"),
        Ok(false) => {}
        // Another instance may have been faster, and a taken address is no reason not to serve.
        Err(error @ ApiError::Conflict(_)) => {
            tracing::warn!(username, "ADMIN_USERNAME was not created: {error}");
        }
        Err(error) => return Err(StartError::Superuser(error)),
    }
    Ok(())
}
