//! The application behind a port: the layers around its routes.
//!
//! Come here to add a layer. What handlers take by type, and the routes, are given by the service's `startup`.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::ServiceConfig;
use actix_web::{App, Error};
use tokio_util::task::TaskTracker;
use tracing_actix_web::TracingLogger;

use crate::http::{
    AllowedOrigins, Conventions, CrossOrigin, RequestTimeout, SecurityHeaders, apply_conventions,
};
use crate::metrics::RequestMetrics;
use crate::rate_limit::{LimitRequests, RateLimit};
use crate::telemetry::AccessLog;

/// The settings of the layers around every route.
#[derive(Clone, Debug)]
pub struct Layers {
    /// The longest time that a handler may take.
    pub time_limit: Duration,
    /// The writes under way. The end of the process waits for them.
    pub writes: TaskTracker,
    /// The headers that protect browsers.
    pub security_headers: SecurityHeaders,
    /// The pages of other origins that may read the answers.
    pub allowed_origins: AllowedOrigins,
    /// The limit of requests, if there is one.
    pub rate_limit: Option<Arc<RateLimit>>,
    /// Whether requests have spans, for their lines in the log or for traces.
    pub has_spans: bool,
    /// Whether requests are measured.
    pub has_metrics: bool,
}

/// Layers and routes. A clone has the same ones.
#[derive(Clone)]
pub struct Application {
    layers: Layers,
    configure: Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>,
}

impl fmt::Debug for Application {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers = &self.layers;
        formatter
            .debug_struct("Application")
            .field("layers", layers)
            .finish_non_exhaustive()
    }
}

impl Application {
    /// An application of these layers. `configure` declares its routes and what their handlers take by type, once for each worker.
    pub fn new(
        layers: Layers,
        configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
    ) -> Self {
        Self {
            layers,
            configure: Arc::new(configure),
        }
    }

    /// Builds it once for nothing, so that a mistake in a route ends the start and not a worker of a running server.
    ///
    /// # Panics
    /// A route or its policy is impossible.
    pub fn check(&self) {
        drop(self.build());
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
        let layers = &self.layers;
        let conventions = Rc::new(Conventions {
            timeout: RequestTimeout::start(layers.time_limit),
            writes: layers.writes.clone(),
            security_headers: layers.security_headers.clone(),
            metrics: layers.has_metrics.then(RequestMetrics::default),
        });
        App::new()
            // The layer that is wrapped first is the innermost. The limit is inside the layer for other origins, so
            // that their pages can read a 429.
            .wrap(LimitRequests(layers.rate_limit.clone()))
            .wrap(CrossOrigin::new(&layers.allowed_origins))
            .wrap(Condition::new(
                layers.has_spans,
                TracingLogger::<AccessLog>::new(),
            ))
            .wrap(from_fn(move |request, next| {
                apply_conventions(Rc::clone(&conventions), request, next)
            }))
            .configure(|app| (self.configure)(app))
    }
}
