//! The owner of a request's token, for the limit alone.
//!
//! Come here to change how long an owner is remembered. No request is authenticated here: routes check the token at every
//! request.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::auth::{AccessToken, find_owner};
use crate::database::Database;

/// The time for which a token's owner is remembered. A revoked token counts for its owner that long.
const REMEMBERED: Duration = Duration::from_mins(1);
/// The most tokens that are remembered: about 4 MiB.
const MAX_TOKENS: usize = 32_768;
/// The longest wait for the database. After it the request counts for its address.
const LOOK_UP: Duration = Duration::from_millis(250);

/// The owners of the latest tokens.
#[derive(Debug, Default)]
pub(super) struct Callers(Mutex<HashMap<AccessToken, (i64, Instant)>>);

impl Callers {
    /// The owner of a token; `None` for a token that is not valid, and where the database does not answer in time.
    pub(super) async fn owner_of(&self, token: AccessToken, database: &Database) -> Option<i64> {
        let now = Instant::now();
        let remembered = self.lock().get(&token).copied();
        if let Some((owner, until)) = remembered
            && now < until
        {
            return Some(owner);
        }
        let found = timeout(LOOK_UP, find_owner(database, &token)).await;
        let owner = found.ok()?.ok()??;
        let mut known = self.lock();
        if known.len() >= MAX_TOKENS {
            known.retain(|_, (_, until)| now < *until);
        }
        if known.len() >= MAX_TOKENS {
            known.clear();
        }
        known.insert(token, (owner, now + REMEMBERED));
        Some(owner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccessToken, (i64, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
