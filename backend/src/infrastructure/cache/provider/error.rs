//! The errors of the provider, and the health of the cache.
//!
//! Come here to add an error for services. Answers to clients are made from it in `http`.

use crate::breaker::{DeletionError, Unavailable};

/// Whether the cache can be used, for the readiness check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheHealth {
    /// The backend is available.
    Up,
    /// The backend is unavailable; requests go straight to their handlers.
    Down,
    /// `CACHE_ENABLED=false`.
    Disabled,
}

/// The reason that an operation of the provider failed.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The backend is unavailable. Deletions are kept and delivered at its recovery.
    #[error("Cache backend not available: {0}")]
    Unavailable(#[from] Unavailable),
    /// The backend cannot delete by pattern (C18).
    #[error(
        "PatternMatchingNotSupportedError: {0} has no pattern matching; use groups or to_invalidate_extra"
    )]
    PatternMatchingNotSupported(&'static str),
    /// The value cannot be serialised as JSON, or the stored value is not of the wanted type.
    #[error("the cached value does not fit the type: {0}")]
    Value(#[from] serde_json::Error),
    /// An argument of an invalidation is missing. In place of the key that needs it, the smallest known
    /// set that contains the key was invalidated (C48).
    #[error("the argument {0} is missing; more than necessary was invalidated in its place")]
    MissingArgument(String),
    /// The key is invalid: it is empty, is reserved, or has characters that keys of routes never have.
    #[error("this is no key of the cache: {0}")]
    Key(&'static str),
    /// The expiration is less than a millisecond. Servers would keep the value for ever or refuse it.
    #[error("an expiration of 0 is refused: leave it out for the default, or name a time")]
    Expiration,
}

impl CacheError {
    /// The backend is unavailable, for this reason.
    pub(super) fn unavailable(reason: &str) -> Self {
        Self::Unavailable(Unavailable(reason.to_owned()))
    }
}

impl From<DeletionError> for CacheError {
    fn from(error: DeletionError) -> Self {
        match error {
            DeletionError::PatternMatchingNotSupported(backend) => {
                Self::PatternMatchingNotSupported(backend)
            }
            DeletionError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}
