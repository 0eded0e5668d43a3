//! `/health`: whether the process lives, and whether it can serve.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;
use sqlx::PgPool;

use crate::infrastructure::cache::{Cache, CacheHealth};
use crate::infrastructure::database;
use crate::infrastructure::http::{allow, get};

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    database: &'static str,
    cache: &'static str,
}

/// Mounts `/health` and `/health/ready`.
pub(super) fn configure(app: &mut ServiceConfig) {
    app.service(
        web::resource("/health")
            .route(get().to(health))
            .default_service(allow("GET, HEAD")),
    )
    .service(
        web::resource("/health/ready")
            .route(get().to(ready))
            .default_service(allow("GET, HEAD")),
    );
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "healthy" })
}

/// The database decides; the cache is only told, since the service answers without it.
async fn ready(database: web::Data<PgPool>, cache: web::Data<Cache>) -> HttpResponse {
    let is_ready = database::is_up(&database).await;
    let checks = Checks {
        database: if is_ready { "up" } else { "down" },
        cache: match cache.health() {
            CacheHealth::Up => "up",
            CacheHealth::Down => "down",
            CacheHealth::Disabled => "disabled",
        },
    };
    if is_ready {
        HttpResponse::Ok().json(Readiness {
            status: "ready",
            checks,
        })
    } else {
        HttpResponse::build(StatusCode::SERVICE_UNAVAILABLE).json(Readiness {
            status: "not ready",
            checks,
        })
    }
}
