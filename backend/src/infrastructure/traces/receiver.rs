//! The receiver of spans: one HTTP connection of the thread that sends, with deadlines.
//!
//! Come here to change how a receiver is reached. One that is away costs the spans, and a line in the log when it goes and when it
//! comes back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use ureq::Agent;

/// The longest time of one sending, from the look-up of the name to the last byte of the answer.
const LIMIT: Duration = Duration::from_secs(5);
/// The most bytes of an answer that are read.
const MAX_ANSWER: u64 = 64 * 1024;

/// The client of a receiver.
#[derive(Debug)]
pub(super) struct Receiver {
    agent: Agent,
    is_away: AtomicBool,
}

impl Receiver {
    pub(super) fn new() -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build()
            .new_agent();
        Self {
            agent,
            is_away: AtomicBool::new(false),
        }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, body) = request.into_parts();
        let answer = self.agent.run(Request::from_parts(head, body.as_ref()))?;
        let (head, mut body) = answer.into_parts();
        let body = body.with_config().limit(MAX_ANSWER).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }

    /// Logs that the receiver has gone or come back.
    fn note(&self, reason: Option<&str>) {
        let was_away = self.is_away.swap(reason.is_some(), Ordering::Relaxed);
        match reason {
            Some(reason) if !was_away => {
                tracing::warn!(
                    reason,
                    "the receiver of traces is not available: spans are dropped"
                );
            }
            None if was_away => tracing::info!("the receiver of traces is available again"),
            _ => {}
        }
    }
}

/// Blocks: OpenTelemetry sends from a thread of its own, and waits there.
#[async_trait]
impl HttpClient for Receiver {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.send(request);
        match &answer {
            Ok(answer) if answer.status().is_success() => self.note(None),
            Ok(answer) => self.note(Some(answer.status().as_str())),
            Err(error) => self.note(Some(&error.to_string())),
        }
        Ok(answer?)
    }
}
