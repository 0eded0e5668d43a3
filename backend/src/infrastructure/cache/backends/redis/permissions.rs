//! Permissions that the Redis user lacks: said once each, with the command (C59).
//!
//! Come here to change how such a refusal is reported. What follows from it is decided where the command
//! was sent.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use redis::ServerError;

/// Refusals that are remembered. The cache uses fewer commands than that.
const MOST_REMEMBERED: usize = 64;

/// The refusals that the log has already.
#[derive(Debug, Default)]
pub(super) struct Permissions(Mutex<BTreeSet<String>>);

impl Permissions {
    /// Reports a refused permission, where this error is one that was not reported before. The text of the
    /// server names the command.
    pub(super) fn note(&self, error: &ServerError) {
        let text = error.details().unwrap_or_default();
        // A script reports the refusal of a command in it as an error of its own.
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
