//! The reference programs with which the service is compared, each as small as possible.
//!
//! Every mode answers `GET /api/v1/widgets/{id}` with the same body as the service, from one source and without
//! middleware, so the difference is the service's own cost. The allocator is the service's, so that it makes no
//! difference.
//!
//! Come here to compare with another source of the answer. Features of a service do not belong here.

use std::error::Error;
use std::time::Duration;

use actix_web::error::{ErrorInternalServerError, ErrorNotFound};
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use clap::{Parser, ValueEnum};
use memcache::exp::{AsyncMetaClient, Get, MetaClientBuilder, Set};
use mimalloc::MiMalloc;
use moka::sync::Cache;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use serde::Serialize;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ROUTE: &str = "/api/v1/widgets/{id}";
/// Connections to Memcached and PostgreSQL: the default of the service.
const CONNECTIONS: u8 = 10;
/// Entries that are stored in one round trip before the program listens.
const BATCH: usize = 1000;

/// Serves one body from one source.
#[derive(Debug, Parser)]
struct CommandLine {
    /// The source of the body
    #[arg(value_enum)]
    mode: Mode,
    /// The port on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// URL of Redis or PostgreSQL, `host:port` of Memcached
    #[arg(long, default_value = "")]
    server: String,
    /// The body
    #[arg(long, default_value = "")]
    body: String,
    /// The first id that is stored
    #[arg(long, default_value_t = 1)]
    first_id: i64,
    /// The number of ids that are stored
    #[arg(long, default_value_t = 1)]
    entries: i64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Bytes in memory, the same for every id
    Static,
    /// A look-up in a moka cache
    Moka,
    /// One GET over a connection that all requests of a worker thread share
    Redis,
    /// One get over a pooled connection
    Memcached,
    /// One row, serialised as JSON
    Sqlx,
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = CommandLine::parse();
    let keys: Vec<String> = (settings.first_id..settings.first_id + settings.entries)
        .map(key)
        .collect();
    let body = Bytes::from(settings.body);
    let address = ("127.0.0.1", settings.port);
    match settings.mode {
        Mode::Static => {
            let body = web::Data::new(body);
            let app = move || {
                App::new()
                    .app_data(web::Data::clone(&body))
                    .route(ROUTE, web::get().to(from_static_bytes))
            };
            HttpServer::new(app).bind(address)?.run().await?;
        }
        Mode::Moka => {
            let cache: Cache<String, Bytes> = Cache::new(u64::try_from(keys.len())?);
            for key in keys {
                cache.insert(key, body.clone());
            }
            let cache = web::Data::new(cache);
            let app = move || {
                App::new()
                    .app_data(web::Data::clone(&cache))
                    .route(ROUTE, web::get().to(from_moka))
            };
            HttpServer::new(app).bind(address)?.run().await?;
        }
        Mode::Redis => {
            let client = redis::Client::open(settings.server)?;
            // The default is half a second, which a busy machine may exceed.
            let configuration =
                AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(5)));
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&configuration)
                .await?;
            for batch in keys.chunks(BATCH) {
                let mut pipeline = redis::pipe();
                for key in batch {
                    pipeline.set(key, body.as_ref()).ignore();
                }
                pipeline.query_async::<()>(&mut connection).await?;
            }
            let app = move || {
                // One connection for each worker is faster than one for all: fewer switches between threads.
                let (client, configuration) = (client.clone(), configuration.clone());
                let connect = move || {
                    let (client, configuration) = (client.clone(), configuration.clone());
                    async move {
                        client
                            .get_multiplexed_async_connection_with_config(&configuration)
                            .await
                    }
                };
                App::new()
                    .data_factory(connect)
                    .route(ROUTE, web::get().to(from_redis))
            };
            HttpServer::new(app).bind(address)?.run().await?;
        }
        Mode::Memcached => {
            let client = MetaClientBuilder::new()
                .max_idle(usize::from(CONNECTIONS))
                .max_connections(Some(usize::from(CONNECTIONS)))
                .connect_async(settings.server.as_str())
                .await?;
            for batch in keys.chunks(BATCH) {
                client
                    .run_many(batch.iter().map(|key| Set::new(key, &body)))
                    .await?;
            }
            let client = web::Data::new(client);
            let app = move || {
                App::new()
                    .app_data(web::Data::clone(&client))
                    .route(ROUTE, web::get().to(from_memcached))
            };
            HttpServer::new(app).bind(address)?.run().await?;
        }
        Mode::Sqlx => {
            let pool = PgPoolOptions::new()
                .max_connections(u32::from(CONNECTIONS))
                .test_before_acquire(false)
                .connect(&settings.server)
                .await?;
            let pool = web::Data::new(pool);
            let app = move || {
                App::new()
                    .app_data(web::Data::clone(&pool))
                    .route(ROUTE, web::get().to(from_row))
            };
            HttpServer::new(app).bind(address)?.run().await?;
        }
    }
    Ok(())
}

fn key(id: i64) -> String {
    format!("reference:{id}")
}

fn answer(body: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .body(body)
}

async fn from_static_bytes(body: web::Data<Bytes>) -> HttpResponse {
    answer(Bytes::clone(&body))
}

async fn from_moka(
    id: web::Path<i64>,
    cache: web::Data<Cache<String, Bytes>>,
) -> Result<HttpResponse, actix_web::Error> {
    let body = cache
        .get(&key(*id))
        .ok_or_else(|| ErrorNotFound("no entry"))?;
    Ok(answer(body))
}

async fn from_redis(
    id: web::Path<i64>,
    connection: web::Data<MultiplexedConnection>,
) -> Result<HttpResponse, actix_web::Error> {
    let mut connection = MultiplexedConnection::clone(&connection);
    let body: Option<Bytes> = redis::cmd("GET")
        .arg(key(*id))
        .query_async(&mut connection)
        .await
        .map_err(ErrorInternalServerError)?;
    Ok(answer(body.ok_or_else(|| ErrorNotFound("no entry"))?))
}

async fn from_memcached(
    id: web::Path<i64>,
    client: web::Data<AsyncMetaClient>,
) -> Result<HttpResponse, actix_web::Error> {
    let found = client
        .run(Get::new(key(*id)))
        .await
        .map_err(ErrorInternalServerError)?;
    let body = found.value.ok_or_else(|| ErrorNotFound("no entry"))?;
    Ok(answer(body.into()))
}

/// The row, in the form of the service's answer.
#[derive(Serialize, sqlx::FromRow)]
struct Widget {
    id: i64,
    owner: String,
    name: String,
    description: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// The statement of the service, so that the rest of the service is compared.
const SELECT: &str = "SELECT widgets.id, username AS owner, widgets.name, description, widgets.created_at, widgets.updated_at
     FROM widgets JOIN users ON users.id = owner_id
     WHERE widgets.id = $1 AND widgets.deleted_at IS NULL";

async fn from_row(
    id: web::Path<i64>,
    pool: web::Data<PgPool>,
) -> Result<HttpResponse, actix_web::Error> {
    let widget: Widget = sqlx::query_as(SELECT)
        .bind(*id)
        .fetch_one(pool.get_ref())
        .await
        .map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().json(widget))
}
