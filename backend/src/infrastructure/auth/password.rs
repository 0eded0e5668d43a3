//! Passwords: Argon2id on blocking threads, a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::infrastructure::http::ApiError;

/// The most requests that may wait for a hash. Further ones are refused with 503.
const MAX_WAITING: usize = 256;

/// The hash of a password that no user has. It is verified where there is no user, so that both cases
/// take equally long. A constant, since making a hash would cost every start its memory.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$WJEDkm5lRBNtlgmGoslrVg$S0JytBcPqggSA3cLktfscOb2YQz0yaT9qaGvqGMdc90";

/// Hashes and verifies passwords.
///
/// Each hash takes some 19 MiB and some 20 ms of a core, so that a burst of logins could stall the
/// service. At most half of the cores hash at a time, on blocking threads.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
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
            turns: Arc::new(Semaphore::new((cores / 2).max(1))),
            waiting: Arc::default(),
        }
    }

    /// The hash of a new password, in PHC format.
    pub async fn hash(&self, password: SecretString) -> Result<String, ApiError> {
        self.work(move || {
            Argon2::default()
                .hash_password(password.expose_secret().as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|error| ApiError::internal(&error))
        })
        .await?
    }

    /// Whether the password matches the hash. Without a hash the answer is no, after the same time.
    pub async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| DECOY.to_owned());
        self.work(move || {
            let hash = PasswordHash::new(&hash).map_err(|error| ApiError::internal(&error))?;
            let matches = Argon2::default()
                .verify_password(password.expose_secret().as_bytes(), &hash)
                .is_ok();
            Ok(known && matches)
        })
        .await?
    }

    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let _place = Place::take(&self.waiting)?;
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|error| ApiError::internal(&error))?;
        // The permit moves with the job: when a client leaves, no other hash starts beside this one.
        let job = move || {
            let _turn = turn;
            job()
        };
        web::block(job)
            .await
            .map_err(|error| ApiError::internal(&error))
    }
}

/// A place in the queue, given back when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, ApiError> {
        if waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(ApiError::Unavailable);
        }
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoy_takes_as_much_work_as_a_hash_that_is_made_today() {
        let made = Argon2::default().hash_password(b"a password").unwrap();
        let (made, decoy) = (
            made.to_string(),
            PasswordHash::new(DECOY).unwrap().to_string(),
        );
        let work = |hash: &str| {
            hash.split('$')
                .take(4)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(work(&made), work(&decoy));
    }

    #[actix_web::test]
    async fn without_a_hash_no_password_is_right() {
        let passwords = Passwords::new();
        assert!(!passwords.verify("anything".into(), None).await.unwrap());
    }
}
