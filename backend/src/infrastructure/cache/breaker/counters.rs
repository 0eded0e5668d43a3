//! Counters behind the breaker.
//!
//! Come here for what an outage means to a counter. Counters have nothing to do with generations: a counter is no answer
//! that could be stale.

use std::time::Duration;

use super::guarded_backend::GuardedBackend;
use super::health::{Availability, Unavailable};
use crate::infrastructure::cache::backends::Count;

impl GuardedBackend {
    /// Adds one to the counter under a full key. A server that is unavailable is not asked.
    pub(in crate::infrastructure::cache) async fn increment(
        &self,
        key: &str,
        expiration: Duration,
    ) -> Result<Count, Unavailable> {
        self.check_is_reached()?;
        let counted = self.unguarded.increment(key, expiration);
        self.observe(counted).await
    }

    /// Takes one back from the counter under a full key.
    pub(in crate::infrastructure::cache) async fn decrement(
        &self,
        key: &str,
    ) -> Result<(), Unavailable> {
        self.check_is_reached()?;
        self.observe(self.unguarded.decrement(key)).await
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
