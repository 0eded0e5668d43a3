//! Logs: one structured line for each request, and the lines of other events.
//!
//! The line of a request contains its id, method, route pattern, status, duration, the cache's handling and the caller.
//!
//! Come here to change what a line contains. Do not log paths, queries, bodies or headers, because they may contain
//! private data. The lines of security events have a queue of their own, in `security_log`.

use std::io::{self, BufWriter, IsTerminal};
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage};
use tracing::{Level, Span};
use tracing_actix_web::RootSpanBuilder;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer};

use super::auth::Caller;
use super::cache::CacheOutcome;
use super::http::request_id;
use super::metrics::RouteMetrics;
use super::security_log::{SecurityLog, SecurityLogGuard, TARGET as SECURITY};
use super::settings::{LogFormat, LoggingSettings};
use super::traces::{self, TARGET as TRACES, Traces};

/// The most lines that may wait to be written.
const QUEUED_LINES: usize = 10_000;

/// The reason that logs cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The process already has a logger.
    #[error(transparent)]
    Logger(#[from] TryInitError),
    /// The system has no thread left.
    #[error(transparent)]
    Thread(#[from] io::Error),
}

/// The running log. The remaining lines are written when it is dropped.
#[derive(Debug)]
pub struct Log {
    /// The number of lines that were dropped.
    pub dropped_lines: ErrorCounter,
    /// Room for the lines of security events.
    pub security: SecurityLog,
    _security_guard: SecurityLogGuard,
    _guard: WorkerGuard,
}

/// Starts writing logs to standard output. The writers are threads of their own, so that a slow terminal or pipe delays no
/// request. Lines beyond the queue of [`QUEUED_LINES`] are dropped, and counted. Those of security events are never dropped
/// (see [`SecurityLog`]). Spans go to the receiver of the traces, if there is one.
///
/// # Errors
/// The process already has a logger, or no thread is left.
pub fn initialise(settings: &LoggingSettings, traces: Option<&Traces>) -> Result<Log, LogError> {
    // Lines of the same moment are written together.
    let output = BufWriter::with_capacity(64 * 1024, io::stdout());
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES)
        .thread_name("log")
        .finish(output);
    let dropped_lines = writer.error_counter();
    let (security, writer, security_guard) = SecurityLog::start(writer)?;
    // The HTTP server's own lines at the start are left out, because `listening` says the same. A level for everything, such
    // as `off`, does not turn security events off: only `security=off` does.
    let own = if settings.warning().is_some() {
        // The crate that writes this warning may be the one that is left out.
        "backend::startup=warn,"
    } else {
        ""
    };
    let filter = EnvFilter::builder().parse_lossy(format!(
        "{TRACES}=off,actix_server=warn,sqlx::postgres::notice=warn,{SECURITY}=info,{own}{}",
        settings.log_level
    ));
    match traces {
        // A filter of the whole subscriber is cheaper than one of a layer.
        None => tracing_subscriber::registry()
            .with(filter)
            .with(lines(settings.log_format, writer))
            .try_init(),
        Some(traces) => tracing_subscriber::registry()
            .with(traces.layer(module_path!()))
            .with(lines(settings.log_format, writer).with_filter(filter))
            .try_init(),
    }?;
    Ok(Log {
        dropped_lines,
        security,
        _security_guard: security_guard,
        _guard: guard,
    })
}

/// The layer that writes the lines.
fn lines<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(io::stdout().is_terminal())
        .with_target(false)
        .with_writer(writer);
    match format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    }
}

/// Whether requests are logged. If not, their data is not collected.
#[must_use]
pub fn writes_requests() -> bool {
    tracing::enabled!(Level::INFO)
}

/// The beginning of a request.
#[derive(Clone, Copy, Debug)]
struct Began(Instant);

/// Writes the access log: the line `request`, at level `info`.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog;

impl RootSpanBuilder for AccessLog {
    fn on_request_start(request: &ServiceRequest) -> Span {
        if tracing::enabled!(Level::INFO) {
            request.extensions_mut().insert(Began(Instant::now()));
        }
        let request_id = request_id(request);
        if traces::are_collected() {
            // One span for the log and for traces: a task that enters it belongs to the request in both.
            let span = tracing::info_span!("request", otel.kind = "server", request_id);
            traces::begin(&span, request);
            return span;
        }
        match request_id {
            Some(request_id) => tracing::info_span!("request", request_id),
            None => Span::none(),
        }
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let Ok(response) = outcome else {
            return;
        };
        traces::end(&span, response);
        if !tracing::enabled!(Level::INFO) {
            return;
        }
        let request = response.request();
        let trace_id = traces::trace_id(request);
        let extensions = request.extensions();
        let latency_ms = extensions
            .get::<Began>()
            .map(|began| (began.0.elapsed().as_secs_f64() * 1e6).round() / 1000.0);
        let cache = extensions.get::<CacheOutcome>();
        tracing::info!(
            parent: &span,
            method = request.method().as_str(),
            route = RouteMetrics::template_of(request).as_deref().unwrap_or("-"),
            status = response.status().as_u16(),
            latency_ms,
            cache_outcome = cache.and_then(CacheOutcome::outcome),
            cache_detail = cache.and_then(CacheOutcome::detail),
            cache = cache.map(|cache| tracing::field::display(cache.status())),
            cache_key = cache.and_then(CacheOutcome::key),
            cache_effect = cache.and_then(CacheOutcome::invalidated),
            user_id = extensions.get::<Caller>().map(|caller| caller.id),
            trace_id,
            "request"
        );
    }
}
