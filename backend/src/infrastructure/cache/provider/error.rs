//! What the provider reports: its errors, and the health of the cache.
//!
//! Come here to add an error that services can see.

use crate::infrastructure::cache::breaker::{DeletionError, Unavailable};

/// Whether the cache can be used, as readiness reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheHealth {
    /// The backend answers.
    Up,
    /// The backend is away; requests go straight to their handlers.
    Down,
    /// `CACHE_ENABLED=false`.
    Disabled,
}

/// Why the provider could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The backend is away. What was to be deleted is kept and delivered when it is back.
    #[error("Cache backend not available: {0}")]
    Unavailable(#[from] Unavailable),
    /// The backend cannot delete by pattern (C18).
    #[error(
        "PatternMatchingNotSupportedError: {0} has no pattern matching; use groups or to_invalidate_extra"
    )]
    PatternMatchingNotSupported(&'static str),
    /// The value cannot be written as JSON, or what is stored is not of the wanted type.
    #[error("the cached value does not fit the type: {0}")]
    Value(#[from] serde_json::Error),
    /// An argument of an invalidation is missing. In place of the key that needs it, the smallest known whole was
    /// invalidated (C48).
    #[error("the argument {0} is missing; more than necessary was invalidated in its place")]
    MissingArgument(String),
    /// The key cannot be one: it is empty, is reserved, or has characters that keys of routes never have.
    #[error("this is no key of the cache: {0}")]
    Key(&'static str),
    /// An expiration of less than a millisecond, which servers take for "for ever" or refuse.
    #[error("an expiration of 0 is refused: leave it out for the default, or name a time")]
    Expiration,
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
