//! Passwords: Argon2id on blocking threads, a few at a time.
//!
//! Come here to change how passwords are hashed and checked. The order of waiting requests is in `password_queue`, and
//! the limit of wrong passwords is in `attempts`, not here.

use std::sync::Arc;

use actix_web::web;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::attempts::{Attempts, Claimed};
use super::password_queue::{PasswordQueue, Turn};
use crate::client_address::ClientAddress;
use crate::http::ApiError;

/// The hash of a password that no user has. It is verified where there is no user, so that both cases take equally
/// long. It is a constant, because making a hash takes 19 MiB of memory at every start.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$WJEDkm5lRBNtlgmGoslrVg$S0JytBcPqggSA3cLktfscOb2YQz0yaT9qaGvqGMdc90";

/// Hashes and verifies passwords.
///
/// Each hash takes some 19 MiB and some 20 ms of a core, so that a burst of logins could stall the
/// service. At most half of the cores hash at a time, on blocking threads, and addresses take turns.
///
/// The futures are in boxes, so that no module that waits for one compiles it again.
#[derive(Clone, Debug)]
pub struct Passwords {
    queue: PasswordQueue,
    /// Held while a password is hashed anew.
    renewal: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

impl Passwords {
    /// Passwords with permits for half of the cores.
    #[must_use]
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            queue: PasswordQueue::new((cores / 2).max(1)),
            renewal: Arc::new(Semaphore::new(1)),
        }
    }

    /// Describes the metrics of the queue to the recorder of the crate `metrics`.
    pub fn describe_metrics() {
        PasswordQueue::describe_metrics();
    }

    /// Sets the gauges of the queue to its present state.
    pub fn record_gauges(&self) {
        self.queue.record_gauges();
    }

    /// The hash of a new password, in PHC format.
    ///
    /// # Errors
    /// 503 while too many requests wait.
    #[must_use]
    pub fn hash(
        &self,
        password: SecretString,
        address: ClientAddress,
    ) -> BoxFuture<'_, Result<String, ApiError>> {
        Box::pin(async move { hash(self.queue.turn(address).await?, password).await })
    }

    /// Whether the password matches the hash. Without a hash the answer is `false`, after the same time. A wrong
    /// password counts as an attempt, for the account and for the address.
    ///
    /// # Errors
    /// 429 after too many wrong passwords, for the right one too; 503 while too many requests wait.
    #[must_use]
    pub fn verify<'a>(
        &'a self,
        attempts: &'a Attempts,
        (claimed, address): (Claimed<'a>, ClientAddress),
        password: SecretString,
        hash: Option<String>,
    ) -> BoxFuture<'a, Result<bool, ApiError>> {
        Box::pin(async move {
            // The wait for a turn comes before the counting. Otherwise waiting requests would count as wrong passwords.
            let turn = self.queue.turn(address).await?;
            let attempt = attempts.begin(claimed, address).await?;
            let result = matches(turn, password, hash).await;
            if !matches!(result, Ok(false)) {
                attempt.give_back().await;
            }
            result
        })
    }

    /// Whether a hash was made with other parameters than today's.
    #[must_use]
    pub fn is_outdated(hash: &str) -> bool {
        !parameters(hash).eq(parameters(DECOY))
    }

    /// A hash of a right password in the place of an outdated one. `None` while another one is made: a later sign-in does it
    /// then. It takes time, so it is for after the sign-in.
    ///
    /// # Errors
    /// 503 while too many requests wait.
    pub async fn renew(&self, password: SecretString) -> Result<Option<String>, ApiError> {
        let Ok(_one) = self.renewal.try_acquire() else {
            return Ok(None);
        };
        // Not the client's turn: its own requests do not wait for this.
        self.hash(password, ClientAddress::LOCAL).await.map(Some)
    }
}

/// Algorithm, version and parameters of a hash: the fields before its salt.
fn parameters(hash: &str) -> impl Iterator<Item = &str> {
    hash.split('$').take(4)
}

async fn hash(turn: Turn, password: SecretString) -> Result<String, ApiError> {
    work(turn, move || {
        Argon2::default()
            .hash_password(password.expose_secret().as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|error| ApiError::internal(&error))
    })
    .await?
}

async fn matches(
    turn: Turn,
    password: SecretString,
    hash: Option<String>,
) -> Result<bool, ApiError> {
    let known = hash.is_some();
    let hash = hash.unwrap_or_else(|| DECOY.to_owned());
    work(turn, move || {
        let hash = PasswordHash::new(&hash).map_err(|error| ApiError::internal(&error))?;
        let matches = Argon2::default()
            .verify_password(password.expose_secret().as_bytes(), &hash)
            .is_ok();
        Ok(known && matches)
    })
    .await?
}

async fn work<T: Send + 'static>(
    turn: Turn,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    // The job holds the turn, because it continues when the client leaves.
    let job = move || {
        let _turn = turn;
        job()
    };
    web::block(job)
        .await
        .map_err(|error| ApiError::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchdog;

    #[test]
    fn the_decoy_takes_as_much_work_as_a_hash_that_is_made_today() {
        let made = Argon2::default().hash_password(b"a password").unwrap();
        assert!(PasswordHash::new(DECOY).is_ok());
        assert!(!Passwords::is_outdated(&made.to_string()));
        assert!(Passwords::is_outdated(&DECOY.replace("t=2", "t=1")));
    }

    #[actix_web::test]
    async fn without_a_hash_no_password_is_right() {
        watchdog::watch();
        let turn = PasswordQueue::new(1)
            .turn(ClientAddress::LOCAL)
            .await
            .unwrap();
        assert!(!matches(turn, "anything".into(), None).await.unwrap());
    }
}
