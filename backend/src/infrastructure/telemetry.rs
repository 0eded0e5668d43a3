//! Logs: one structured line for each request, and whatever else is worth a line.
//!
//! What is logged of a request is its id, method, route pattern, status, duration, what the cache did
//! and who called. Neither paths, queries, bodies nor headers are: they may hold what is private.

use std::io::{self, IsTerminal};
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage};
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

use super::auth::Caller;
use super::cache::CacheOutcome;
use super::http::RequestId;
use super::settings::{LogFormat, LoggingSettings};

/// Starts writing logs to standard output.
///
/// # Errors
/// If something else in the process has claimed the logs already.
pub fn initialise(settings: &LoggingSettings) -> Result<(), TryInitError> {
    use tracing_subscriber::util::SubscriberInitExt;

    // The server's own lines at start say nothing that `listening` does not.
    let filter = EnvFilter::builder().parse_lossy(format!(
        "actix_server=warn,sqlx::postgres::notice=warn,{}",
        settings.log_level
    ));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stdout().is_terminal());
    match settings.log_format {
        LogFormat::Pretty => subscriber.with_target(false).finish().try_init(),
        LogFormat::Json => subscriber
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_target(false)
            .finish()
            .try_init(),
    }
}

/// When a request began.
#[derive(Clone, Copy, Debug)]
struct Began(Instant);

/// Writes the access log: the line `request`, at level `info`.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog;

impl RootSpanBuilder for AccessLog {
    fn on_request_start(request: &ServiceRequest) -> Span {
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
            cache = cache.map(|cache| cache.status.as_str()),
            cache_key = cache.and_then(|cache| cache.key.as_deref()),
            user_id = extensions.get::<Caller>().map(|caller| caller.id),
            "request"
        );
    }
}
