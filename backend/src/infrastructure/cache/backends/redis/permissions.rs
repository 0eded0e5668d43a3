//! Missing permissions of the Redis user: each is logged once, with its command (C59).
//!
//! Come here to change how such a refusal is reported. The consequences are decided where the command was sent, not
//! here.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use redis::ServerError;

/// The most refusals that are remembered. The cache uses fewer commands than that.
const MOST_REMEMBERED: usize = 64;

/// The refusals that were logged.
#[derive(Debug, Default)]
pub(super) struct Permissions(Mutex<BTreeSet<String>>);

impl Permissions {
    /// Logs a refused permission, unless it was logged before. The server's text names the command.
    pub(super) fn note(&self, error: &ServerError) {
        let text = error.details().unwrap_or_default();
        // A script reports the refusal of one of its commands as its own error.
        let is_refusal = error.code() == "NOPERM" || text.contains("NOPERM");
        if is_refusal && self.is_new(text) {
            tracing::error!(
                backend = "redis",
                "the Redis user lacks a permission that the cache needs: {text}; \
                 grant the command, or the keys of CACHE_NAMESPACE, with ACL SETUSER"
            );
        }
    }

    fn is_new(&self, text: &str) -> bool {
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reported.len() < MOST_REMEMBERED && reported.insert(text.to_owned())
    }
}
