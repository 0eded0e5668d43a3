//! Logs: one structured line for each request, and whatever else is worth a line.
//!
//! What is logged of a request is its id, method, route pattern, status, duration, what the cache did
//! and who called. Neither paths, queries, bodies nor headers are: they may hold what is private.

use std::io::{self, BufWriter, IsTerminal};
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage};
use tracing::{Level, Span};
use tracing_actix_web::RootSpanBuilder;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use super::auth::Caller;
use super::cache::CacheOutcome;
use super::http::RequestId;
use super::settings::{LogFormat, LoggingSettings};

/// How many lines may wait to be written.
const QUEUED_LINES: usize = 10_000;

/// Starts writing logs to standard output, from a thread of their own: a terminal or a pipe that is slow
/// holds up no request. What does not fit in the queue to that thread, of [`QUEUED_LINES`], is dropped. The
/// guard writes what is left when it goes.
///
/// # Errors
/// If something else in the process has claimed the logs already.
pub fn initialise(settings: &LoggingSettings) -> Result<WorkerGuard, TryInitError> {
    // Lines that come together are written together.
    let output = BufWriter::with_capacity(64 * 1024, io::stdout());
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES)
        .thread_name("log")
        .finish(output);
    // The server's own lines at start say nothing that `listening` does not.
    let filter = EnvFilter::builder().parse_lossy(format!(
        "actix_server=warn,sqlx::postgres::notice=warn,{}",
        settings.log_level
    ));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stdout().is_terminal())
        .with_target(false)
        .with_writer(writer);
    match settings.log_format {
        LogFormat::Pretty => subscriber.finish().try_init(),
        LogFormat::Json => subscriber
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .finish()
            .try_init(),
    }?;
    Ok(guard)
}

/// Whether requests are logged at all: if not, the service does without what it takes.
#[must_use]
pub fn writes_requests() -> bool {
    tracing::enabled!(Level::INFO)
}

/// When a request began.
#[derive(Clone, Copy, Debug)]
struct Began(Instant);

/// Writes the access log: the line `request`, at level `info`.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog;

impl RootSpanBuilder for AccessLog {
    fn on_request_start(request: &ServiceRequest) -> Span {
        if !tracing::enabled!(Level::INFO) {
            return Span::none();
        }
        let mut extensions = request.extensions_mut();
        extensions.insert(Began(Instant::now()));
        match extensions.get::<RequestId>() {
            Some(id) => tracing::info_span!("request", request_id = %id),
            None => Span::none(),
        }
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let Ok(response) = outcome else {
            return;
        };
        if !tracing::enabled!(Level::INFO) {
            return;
        }
        let request = response.request();
        let extensions = request.extensions();
        let latency_ms = extensions
            .get::<Began>()
            .map(|began| (began.0.elapsed().as_secs_f64() * 1e6).round() / 1000.0);
        let cache = extensions.get::<CacheOutcome>();
        tracing::info!(
            parent: &span,
            method = request.method().as_str(),
            route = request.match_pattern().as_deref().unwrap_or("-"),
            status = response.status().as_u16(),
            latency_ms,
            cache = cache.map(|cache| tracing::field::display(cache.status())),
            cache_key = cache.and_then(CacheOutcome::key),
            cache_effect = cache.and_then(CacheOutcome::invalidated),
            user_id = extensions.get::<Caller>().map(|caller| caller.id),
            "request"
        );
    }
}
