//! `/health`: whether the process is alive, and whether it can serve.
//!
//! Come here to change the health checks. The database is checked in `database::probe`, the cache in its
//! breaker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::infrastructure::cache::{Cache, CacheHealth};
use crate::infrastructure::database::Database;
use crate::infrastructure::resource::{Resources, resource};

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
    /// The limitation of an available cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_detail: Option<String>,
}

/// The paths of `/health` and `/health/ready`.
pub const PATHS: &[&str] = &[HEALTH, READY];
const HEALTH: &str = "/health";
const READY: &str = "/health/ready";

/// Declares `/health` and `/health/ready`.
pub(super) fn configure(root: &mut Resources) {
    root.add(resource(HEALTH).get(health))
        .add(resource(READY).get(ready));
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "healthy" })
}

/// Whether the program is about to stop listening: readiness is 503 meanwhile, so that a load balancer
/// sends its requests elsewhere. A clone is the same state.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on readiness is 503.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The database decides. The cache is only reported, since the service answers without it.
async fn ready(
    database: Database,
    cache: web::Data<Cache>,
    draining: web::Data<Draining>,
) -> HttpResponse {
    let is_up = database.check_readiness().await.is_ok();
    let checks = Checks {
        database: if is_up { "up" } else { "down" },
        cache: match cache.health() {
            CacheHealth::Up => "up",
            CacheHealth::Down => "down",
            CacheHealth::Disabled => "disabled",
        },
        cache_detail: cache.shortfall(),
    };
    let is_ready = is_up && !draining.has_begun();
    let (code, status) = if is_ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    HttpResponse::build(code).json(Readiness { status, checks })
}
