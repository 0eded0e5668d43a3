//! Traces: the spans of requests, sent to a receiver of OpenTelemetry (`TRACING_OTLP_ENDPOINT`).
//!
//! They are in the program if it is built with the feature `traces`. Without it no value of [`Traces`] exists, and the functions here do
//! nothing. Come here to change what a trace shows of a request, or how spans are sent. The spans of the cache are in `cache::spans`,
//! that of a statement in `database::statement`, and that of a request begins in `telemetry`.

#[cfg(feature = "traces")]
mod collecting;
#[cfg(feature = "traces")]
mod receiver;
#[cfg(feature = "traces")]
mod request;
#[cfg(not(feature = "traces"))]
mod without;

#[cfg(feature = "traces")]
pub use collecting::{Traces, are_collected};
#[cfg(feature = "traces")]
pub use request::{begin, end, trace_id, traceparent};
#[cfg(not(feature = "traces"))]
pub use without::{Traces, are_collected, begin, end, trace_id, traceparent};

/// The target of all spans that are for traces alone.
pub const TARGET: &str = "traces";

/// The reason that no spans can be sent.
#[derive(Debug, thiserror::Error)]
#[error("TRACING_OTLP_ENDPOINT cannot be used: {0}")]
pub struct StartTracesError(pub(super) String);
