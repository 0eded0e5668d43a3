//! Counters behind the breaker.
//!
//! Come here to change what an outage means to a counter. A counter has no generation, because no client gets a counter
//! as an answer. The caller decides the meaning of a count.

use std::time::Duration;

use super::guarded_backend::GuardedBackend;
use super::health::{Availability, Unavailable};
use crate::backends::Count;
use crate::measurements::Operation;

impl GuardedBackend {
    /// Adds one to the counter under a full key. While the server is unavailable, this is an error at once.
    pub(crate) async fn increment(
        &self,
        key: &str,
        expiration: Duration,
    ) -> Result<Count, Unavailable> {
        self.check_is_reached()?;
        let counted = self.unguarded.increment(key, expiration);
        self.observe(Operation::Count, counted).await
    }

    /// Subtracts one from the counter under a full key, but not below 0. While the server is unavailable, this is an
    /// error at once.
    pub(crate) async fn decrement(&self, key: &str) -> Result<(), Unavailable> {
        self.check_is_reached()?;
        let taken = self.unguarded.decrement(key);
        self.observe(Operation::Count, taken).await
    }

    fn check_is_reached(&self) -> Result<(), Unavailable> {
        if self.availability() == Availability::Unavailable {
            return Err(Unavailable(format!(
                "{} is unavailable",
                self.registered_name
            )));
        }
        Ok(())
    }
}
