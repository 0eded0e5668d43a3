//! `/health`: whether the process is alive, and whether it can serve.
//!
//! Come here to change the health checks. The database is checked in `database::probe`, the cache in its
//! breaker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::infrastructure::cache::{Cache, CacheHealth};
use crate::infrastructure::database::Database;
use crate::infrastructure::http::Json;
use crate::infrastructure::resource::{
    AnswerDescription, HandlerOutput, OutputDescription, Resources, resource,
};

/// The answer of `/health`.
#[derive(JsonSchema, Serialize)]
struct Health {
    /// `healthy`.
    #[schemars(example = &"healthy")]
    status: &'static str,
}

/// The answer of `/health/ready`.
#[derive(JsonSchema, Serialize)]
struct Readiness {
    /// `ready` or `not ready`.
    #[schemars(example = &"ready")]
    status: &'static str,
    /// The parts.
    checks: Checks,
}

/// The parts of the service.
#[derive(JsonSchema, Serialize)]
struct Checks {
    /// `up` or `down`; it decides.
    #[schemars(example = &"up")]
    database: &'static str,
    /// `up`, `down` or `disabled`; it is only reported.
    #[schemars(example = &"up")]
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

async fn health() -> Json<Health> {
    Json(Health { status: "healthy" })
}

/// 200 or 503, with the same form.
impl Responder for Readiness {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let status = if self.status == IS_READY {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        HttpResponse::build(status).json(self)
    }
}

impl HandlerOutput for Readiness {
    fn describe(output: &mut OutputDescription) {
        output.answers.push(AnswerDescription::json::<Self>(200));
        output.answers.push(AnswerDescription::json::<Self>(503));
    }
}

const IS_READY: &str = "ready";

/// Whether the program is about to stop listening. Readiness is 503 from then on, so that a load balancer sends its
/// requests elsewhere. All clones share the state.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// Makes readiness 503 from now on.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the process is about to end.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The database decides readiness. The cache is only reported, because the service answers without it.
async fn ready(
    database: Database,
    cache: web::Data<Cache>,
    draining: web::Data<Draining>,
) -> Readiness {
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
    let status = if is_ready { IS_READY } else { "not ready" };
    Readiness { status, checks }
}
