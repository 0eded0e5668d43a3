//! The applications behind the two ports: what handlers take by type, the settings of their layers, and their routes.
//!
//! Come here to add a part that handlers need. Parts are built in `startup`, routes are declared in `interfaces` and the
//! modules, and a layer is added in `infrastructure::server`.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, ServiceConfig};

use super::Parts;
use crate::infrastructure::auth::{Attempts, Passwords};
use crate::infrastructure::cache::{Cache, CacheMap};
use crate::infrastructure::client_address::TrustedProxies;
use crate::infrastructure::database::Database;
use crate::infrastructure::database_feed::FeedAge;
use crate::infrastructure::http::{AllowedOrigins, SecurityHeaders};
use crate::infrastructure::metrics::Metrics;
use crate::infrastructure::rate_limit::RateLimit;
use crate::infrastructure::security_log::SecurityLog;
use crate::infrastructure::server::{Application, Layers};
use crate::infrastructure::settings::{Environment, ProtectionSettings, Settings, SignUp};
use crate::infrastructure::telemetry;
use crate::interfaces::{self, Draining, Routes};

/// The applications of `SERVER_PORT` and `MANAGEMENT_PORT`.
pub(super) struct Applications {
    handler_parts: HandlerParts,
    layers: Layers,
    routes: Routes,
}

/// The parts that handlers take by type.
#[derive(Clone)]
struct HandlerParts {
    database: web::Data<Database>,
    cache: web::Data<Cache>,
    cache_map: web::Data<CacheMap>,
    passwords: web::Data<Passwords>,
    attempts: web::Data<Attempts>,
    security_log: web::Data<SecurityLog>,
    sign_up: web::Data<SignUp>,
    trusted_proxies: web::Data<TrustedProxies>,
    draining: web::Data<Draining>,
    feed_age: web::Data<FeedAge>,
    metrics: Option<web::Data<Metrics>>,
}

impl Applications {
    /// The applications of these settings and parts.
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
        let layers = Layers {
            time_limit: Duration::from_secs(settings.server.server_request_timeout),
            writes: parts.cache.tasks().clone(),
            security_headers: SecurityHeaders::new(hsts, trusted_proxies.clone()),
            allowed_origins: cors_allowed_origins,
            rate_limit: rate_limit.map(|rate| {
                let proxies = trusted_proxies.clone();
                Arc::new(RateLimit::new(rate, proxies, interfaces::HEALTH_PATHS))
            }),
            has_spans: telemetry::writes_requests() || parts.traces.is_some(),
            has_metrics: parts.metrics.is_some(),
        };
        let handler_parts = HandlerParts {
            database: web::Data::new(parts.database),
            cache: web::Data::new(parts.cache),
            cache_map: web::Data::new(interfaces::map()),
            passwords: web::Data::new(parts.passwords),
            attempts: web::Data::new(parts.attempts),
            security_log: web::Data::new(parts.security_log),
            sign_up: web::Data::new(settings.accounts.sign_up),
            trusted_proxies: web::Data::new(trusted_proxies),
            draining: web::Data::new(draining),
            feed_age: web::Data::new(parts.feed_age),
            metrics: parts.metrics.map(web::Data::new),
        };
        Self {
            handler_parts,
            layers,
            routes,
        }
    }

    /// The application of `SERVER_PORT`. It serves the routes for operators only in development, and only if they have no port of
    /// their own.
    pub(super) fn public(&self) -> Application {
        self.application(self.layers.clone(), self.routes)
    }

    /// The application of `MANAGEMENT_PORT`: the same parts and conventions, for operators. `RATE_LIMIT` does not apply
    /// to their requests, and no page of another origin may read the answers.
    pub(super) fn management(&self) -> Application {
        let layers = Layers {
            allowed_origins: AllowedOrigins::None,
            rate_limit: None,
            ..self.layers.clone()
        };
        self.application(layers, Routes::Management)
    }

    fn application(&self, layers: Layers, routes: Routes) -> Application {
        let handler_parts = self.handler_parts.clone();
        Application::new(layers, move |app| {
            handler_parts.clone().insert_into(app);
            interfaces::configure(app, routes);
        })
    }
}

impl HandlerParts {
    fn insert_into(self, app: &mut ServiceConfig) {
        app.app_data(self.database)
            .app_data(self.cache)
            .app_data(self.cache_map)
            .app_data(self.passwords)
            .app_data(self.attempts)
            .app_data(self.security_log)
            .app_data(self.sign_up)
            .app_data(self.trusted_proxies)
            .app_data(self.draining)
            .app_data(self.feed_age);
        if let Some(metrics) = self.metrics {
            app.app_data(metrics);
        }
    }
}
