//! The limit of wrong passwords: for each account and each address, on all instances together.
//!
//! Come here to change the limit of sign-ins. Its settings are in `settings::protection`, and passwords are checked in
//! `password`, not here. The counters are on the cache server, and in this process while the cache is unavailable. A
//! counter that fails refuses nobody.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::cache::backends::{CacheBackend, Count, MemoryBackend};
use crate::cache::{Cache, CacheError, Unavailable};
use crate::client_address::ClientAddress;
use crate::http::ApiError;

/// The bound of the counters in this process, in bytes: about 30 000 accounts and addresses.
const MAX_LOCAL_BYTES: u64 = 4 * 1024 * 1024;

/// The account that a password is given for.
#[derive(Clone, Copy, Debug)]
pub enum Claimed<'a> {
    /// The account with this id. Its username and its e-mail address give the same one.
    Account(i64),
    /// A name that nobody has.
    Unknown(&'a str),
}

/// Counts wrong passwords.
#[derive(Clone)]
pub struct Attempts {
    cache: Cache,
    local: Arc<MemoryBackend>,
    most: u64,
    window: Duration,
}

impl Attempts {
    /// At most so many wrong passwords for an account, and from an address, within the window (`LOGIN_ATTEMPTS`,
    /// `LOGIN_WINDOW`). The window begins with the first of them.
    #[must_use]
    pub fn new(cache: Cache, most: u64, window: Duration) -> Self {
        Self {
            cache,
            local: Arc::new(MemoryBackend::new(MAX_LOCAL_BYTES)),
            most,
            window,
        }
    }

    /// Counts an attempt, in one round trip, before the password is checked. So of many simultaneous attempts no more
    /// than the limit are checked. An attempt with the right password, or without a result, is given back.
    ///
    /// # Errors
    /// 429 where the limit is reached, until the window ends.
    pub(super) async fn begin(
        &self,
        claimed: Claimed<'_>,
        address: ClientAddress,
    ) -> Result<Attempt<'_>, ApiError> {
        let account = match claimed {
            Claimed::Account(id) => format!("sign_in:account:{id}"),
            // The name is hashed. It may be long, or a password in the wrong field.
            Claimed::Unknown(name) => format!("sign_in:name:{}", hash(name)),
        };
        let names = [account, format!("sign_in:address:{}", address.network())];
        let (account, address) = tokio::join!(self.count(&names[0]), self.count(&names[1]));
        let attempt = Attempt {
            attempts: self,
            counted: names.into_iter().zip([account, address]).collect(),
        };
        let over = attempt
            .counted
            .iter()
            .filter_map(|(_, counted)| match counted {
                Some((_, count)) if count.value > self.most => Some(count.remaining),
                _ => None,
            });
        match over.max() {
            Some(remaining) => {
                // A refused attempt counts neither for the account nor for the address. Otherwise a refused address
                // could lock out every account.
                attempt.give_back().await;
                Err(ApiError::TooManyAttempts(remaining))
            }
            None => Ok(attempt),
        }
    }

    async fn count(&self, name: &str) -> Option<(Place, Count)> {
        match self.cache.increment(name, self.window).await {
            Ok(count) => return Some((Place::Shared, count)),
            // The cache logs its outage itself.
            Err(CacheError::Unavailable(_)) => {}
            Err(error) => tracing::error!("sign-ins are counted in this process alone: {error}"),
        }
        match self.local.increment(name, self.window).await {
            Ok(count) => Some((Place::Local, count)),
            Err(error) => {
                tracing::error!("a sign-in is not counted: {error}");
                None
            }
        }
    }
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Attempts").finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
enum Place {
    Shared,
    Local,
}

/// An attempt that has been counted. It stays counted unless it is given back.
#[must_use]
pub(super) struct Attempt<'a> {
    attempts: &'a Attempts,
    counted: Vec<(String, Option<(Place, Count)>)>,
}

impl Attempt<'_> {
    /// Removes the attempt from the counters.
    pub(super) async fn give_back(self) {
        let taken = self.counted.iter().map(async |(name, counted)| {
            let result = match counted {
                Some((Place::Shared, _)) => self.attempts.cache.decrement(name).await,
                Some((Place::Local, _)) => {
                    let taken = self.attempts.local.decrement(name).await;
                    taken.map_err(|error| Unavailable(error.to_string()).into())
                }
                None => Ok(()),
            };
            if let Err(error) = result {
                tracing::warn!(
                    "a sign-in that was right stays counted until its window ends: {error}"
                );
            }
        });
        futures_util::future::join_all(taken).await;
    }
}

/// The beginning of the hash of a name, as 32 hexadecimal digits.
fn hash(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    let beginning = hash
        .iter()
        .take(16)
        .fold(0_u128, |beginning, byte| beginning << 8 | u128::from(*byte));
    format!("{beginning:032x}")
}
