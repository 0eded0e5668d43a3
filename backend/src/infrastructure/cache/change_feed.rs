//! The hook for a feed of changes: a source outside the cache that delivers what was committed (C53–C55).
//!
//! Come here to implement a feed. The cache knows no database: it only waits for the feed after a write, and before it
//! trusts a backend after an outage.

use std::time::Instant;

use async_trait::async_trait;

use super::delivered::Delivered;

/// The error where the feed's source does not answer: it is unknown whether the changes were delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the feed of changes does not answer")]
pub struct FeedUnavailable;

/// A feed of changes. It delivers them through [`Deliveries`](super::Deliveries).
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// Returns when every change that was committed before the call has been delivered, by this instance or another. Returns
    /// early where no instance can deliver: none of them serves from the cache then. Takes about a second at most (C54).
    ///
    /// The value is what this instance has invalidated since `began`, for `Cache-Status`; changes of other writes may be among
    /// it.
    ///
    /// # Errors
    /// Where the source did not answer in that time: the changes may not have been delivered.
    async fn after_write(&self, began: Instant) -> Result<Delivered, FeedUnavailable>;

    /// Whether every change that was committed before the call has been delivered (C55). Takes a fraction of a second at
    /// most: `false` where that was not enough.
    ///
    /// # Errors
    /// Where the source has not answered for a while.
    async fn has_delivered(&self) -> Result<bool, FeedUnavailable>;
}
