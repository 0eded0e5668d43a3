//! Collecting: the queue of ended spans, and the thread that sends them.
//!
//! Come here to change bounds, or the name and version that spans carry. A request puts its spans into a queue of 2048 and never waits: a
//! span beyond that is dropped. The other variables of OpenTelemetry apply, such as `OTEL_TRACES_SAMPLER` and `OTEL_BSP_MAX_QUEUE_SIZE`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::rt::task::spawn_blocking;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Metadata;
use tracing::subscriber::Interest;
use tracing_subscriber::filter::{LevelFilter, dynamic_filter_fn};
use tracing_subscriber::{Layer, Registry};

use super::receiver::Receiver;
use super::{StartTracesError, TARGET};

static ARE_COLLECTED: AtomicBool = AtomicBool::new(false);

/// Whether spans are collected.
#[must_use]
pub fn are_collected() -> bool {
    ARE_COLLECTED.load(Ordering::Relaxed)
}

/// The collected spans of this process. A clone is the same.
#[derive(Clone, Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    program: &'static str,
}

impl Traces {
    /// Starts the thread that sends spans of this program to `{endpoint}/v1/traces`, as protocol buffers over HTTP.
    ///
    /// # Errors
    /// The address or a variable of OpenTelemetry is malformed.
    pub fn start(program: &'static str, endpoint: &str) -> Result<Self, StartTracesError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Receiver::new())
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .map_err(|error| StartTracesError(error.to_string()))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource(program))
            .build();
        ARE_COLLECTED.store(true, Ordering::Relaxed);
        Ok(Self { provider, program })
    }

    /// The layer of the subscriber that collects spans of [`TARGET`], and those of requests, which have another one since they are in the
    /// log too. It collects nothing else.
    #[must_use]
    pub fn layer(&self, requests: &'static str) -> Box<dyn Layer<Registry> + Send + Sync> {
        let is_ours = move |metadata: &Metadata<'_>| {
            metadata.is_span() && [TARGET, requests].contains(&metadata.target())
        };
        // Asked for each span: a span whose filters are remembered is lost after a question such as `tracing::enabled!` by others.
        let filter = dynamic_filter_fn(move |metadata, _| is_ours(metadata))
            .with_max_level_hint(LevelFilter::INFO)
            .with_callsite_filter(move |metadata| {
                if is_ours(metadata) {
                    Interest::sometimes()
                } else {
                    Interest::never()
                }
            });
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(self.program))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter)
            .boxed()
    }

    /// Sends the remaining spans, and waits for at most this time.
    pub async fn stop(&self, limit: Duration) {
        let provider = self.provider.clone();
        let stopping = spawn_blocking(move || provider.shutdown_with_timeout(limit));
        match stopping.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the last spans were not sent: {error}"),
            Err(error) => tracing::warn!("the last spans were not sent: {error}"),
        }
    }
}

/// The description of the program in its spans: its name, unless `OTEL_SERVICE_NAME` has another one, and its version.
fn resource(program: &'static str) -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let found = Resource::builder().with_attribute(version.clone()).build();
    let name = found.get(&opentelemetry::Key::new("service.name"));
    if name.is_some_and(|name| !name.as_str().starts_with("unknown_service")) {
        return found;
    }
    Resource::builder()
        .with_attribute(version)
        .with_service_name(program)
        .build()
}
