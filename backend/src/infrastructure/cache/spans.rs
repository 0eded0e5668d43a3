//! The spans of traces: one for a look-up, one for a fill, one for an invalidation.
//!
//! Come here to change what a trace shows of the cache. Without somebody who collects spans of the target `traces`, a function here
//! costs the look at one flag. A hit from the memory of the process has no span: its request says that it was one.

use tracing::Span;
use tracing::field::{Empty, display};

/// The target of the spans. Log lines have other ones.
const TARGET: &str = "traces";

/// A look-up in a backend, with the wait for another request's answer.
pub(crate) fn look_up(cache_key: &str) -> Span {
    tracing::info_span!(target: TARGET, "cache.look_up", cache_key, cache_decision = Empty, cache_claim = Empty)
}

/// A run of a handler whose answer other requests wait for, and its storing.
pub(crate) fn fill(cache_key: &str) -> Span {
    tracing::info_span!(target: TARGET, "cache.fill", cache_key, cache_claim = Empty, cache_stored = Empty)
}

/// The deletion of what a write has made stale, and the wait for its delivery.
pub(crate) fn invalidation() -> Span {
    tracing::info_span!(target: TARGET, "cache.invalidation", cache_effect = Empty)
}

/// Records the claim that a fill has, or that a look-up waits for. It joins the two where they are of different instances.
pub(crate) fn record_claim(span: &Span, id: u64) {
    span.record("cache_claim", display(format_args!("{id:016x}")));
}
