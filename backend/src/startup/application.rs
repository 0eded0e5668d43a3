//! The application behind a port: what handlers take by type, the layers around them, and the routes.
//!
//! Come here to add a layer, or a part that handlers need. Parts are built in `startup`, routes are declared in `interfaces`
//! and the modules.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Condition, from_fn};
use actix_web::{App, Error, web};
use tracing_actix_web::TracingLogger;

use super::Parts;
use crate::infrastructure::auth::{Attempts, Passwords};
use crate::infrastructure::cache::Cache;
use crate::infrastructure::client_address::TrustedProxies;
use crate::infrastructure::database::Database;
use crate::infrastructure::database_feed::FeedAge;
use crate::infrastructure::http::{
    AllowedOrigins, Conventions, CrossOrigin, RequestTimeout, SecurityHeaders, apply_conventions,
};
use crate::infrastructure::metrics::{Metrics, RequestMetrics};
use crate::infrastructure::rate_limit::{LimitRequests, RateLimit};
use crate::infrastructure::security_log::SecurityLog;
use crate::infrastructure::settings::{Environment, ProtectionSettings, Settings, SignUp};
use crate::infrastructure::telemetry::{self, AccessLog};
use crate::interfaces::{self, Draining, Routes};

/// The parts of an application. Each worker builds an application of its own from them.
#[derive(Clone)]
pub(super) struct Application {
    database: web::Data<Database>,
    cache: web::Data<Cache>,
    passwords: web::Data<Passwords>,
    attempts: web::Data<Attempts>,
    security_log: web::Data<SecurityLog>,
    sign_up: web::Data<SignUp>,
    trusted_proxies: web::Data<TrustedProxies>,
    draining: web::Data<Draining>,
    feed_age: web::Data<FeedAge>,
    metrics: Option<web::Data<Metrics>>,
    security_headers: SecurityHeaders,
    allowed_origins: AllowedOrigins,
    rate_limit: Option<Arc<RateLimit>>,
    time_limit: Duration,
    /// Whether requests have spans, for their lines in the log or for traces.
    has_spans: bool,
    routes: Routes,
}

impl Application {
    /// The application of `SERVER_PORT`. It serves the routes for operators only in development, and only if they have no port of
    /// their own.
    pub(super) fn new(settings: &Settings, parts: Parts, draining: Draining) -> Self {
        let ProtectionSettings {
            trusted_proxies,
            hsts,
            cors_allowed_origins,
            rate_limit,
            ..
        } = settings.protection.clone();
        let is_development = settings.server.environment == Environment::Development;
        let routes = if is_development && settings.server.management_port.is_none() {
            Routes::All
        } else {
            Routes::Public
        };
        Self {
            database: web::Data::new(parts.database),
            cache: web::Data::new(parts.cache),
            passwords: web::Data::new(parts.passwords),
            attempts: web::Data::new(parts.attempts),
            security_log: web::Data::new(parts.security_log),
            sign_up: web::Data::new(settings.accounts.sign_up),
            security_headers: SecurityHeaders::new(hsts, trusted_proxies.clone()),
            rate_limit: rate_limit.map(|rate| {
                let proxies = trusted_proxies.clone();
                Arc::new(RateLimit::new(rate, proxies, interfaces::HEALTH_PATHS))
            }),
            trusted_proxies: web::Data::new(trusted_proxies),
            draining: web::Data::new(draining),
            feed_age: web::Data::new(parts.feed_age),
            metrics: parts.metrics.map(web::Data::new),
            allowed_origins: cors_allowed_origins,
            time_limit: Duration::from_secs(settings.server.server_request_timeout),
            has_spans: telemetry::writes_requests() || parts.traces.is_some(),
            routes,
        }
    }

    /// The application of `MANAGEMENT_PORT`: the same parts and conventions, for operators. `RATE_LIMIT` does not apply
    /// to their requests, and no page of another origin may read the answers.
    pub(super) fn for_management(&self) -> Self {
        Self {
            allowed_origins: AllowedOrigins::None,
            rate_limit: None,
            routes: Routes::Management,
            ..self.clone()
        }
    }

    /// Builds the application of one worker.
    pub(super) fn build(
        &self,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<impl MessageBody + use<>>,
            Error = Error,
            InitError = (),
        > + use<>,
    > {
        let conventions = Rc::new(Conventions {
            timeout: RequestTimeout::start(self.time_limit),
            writes: self.cache.tasks().clone(),
            security_headers: self.security_headers.clone(),
            metrics: self.metrics.as_ref().map(|_| RequestMetrics::default()),
        });
        let metrics = self.metrics.clone();
        App::new()
            .app_data(web::Data::clone(&self.database))
            .app_data(web::Data::clone(&self.cache))
            .app_data(web::Data::clone(&self.passwords))
            .app_data(web::Data::clone(&self.attempts))
            .app_data(web::Data::clone(&self.security_log))
            .app_data(web::Data::clone(&self.sign_up))
            .app_data(web::Data::clone(&self.trusted_proxies))
            .app_data(web::Data::clone(&self.draining))
            .app_data(web::Data::clone(&self.feed_age))
            // The layer that is wrapped first is the innermost. The limit is inside the layer for other origins, so
            // that their pages can read a 429.
            .wrap(LimitRequests(self.rate_limit.clone()))
            .wrap(CrossOrigin::new(&self.allowed_origins))
            .wrap(Condition::new(
                self.has_spans,
                TracingLogger::<AccessLog>::new(),
            ))
            .wrap(from_fn(move |request, next| {
                apply_conventions(Rc::clone(&conventions), request, next)
            }))
            .configure(|app| {
                if let Some(metrics) = metrics {
                    app.app_data(metrics);
                }
                interfaces::configure(app, self.routes);
            })
    }
}
