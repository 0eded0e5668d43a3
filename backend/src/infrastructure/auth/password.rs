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

/// How many may wait for their turn; more are asked to come back later.
const MAX_WAITING: usize = 256;

/// Hashes and verifies passwords.
///
/// Each hash takes some 19 MiB and some 20 ms of a core, so that a burst of logins could stall the
/// service. At most half of the cores are at it at a time, on blocking threads.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// A hash of no password, verified where there is no user, so that both take as long.
    decoy: Arc<str>,
}

impl Passwords {
    /// Whether a password may be chosen: 8–128 characters.
    #[must_use]
    pub fn is_acceptable(password: &SecretString) -> bool {
        (8..=128).contains(&password.expose_secret().chars().count())
    }

    /// Work for half of the cores.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn new() -> Result<Self, argon2::password_hash::Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let decoy = Argon2::default()
            .hash_password(&rand::random::<[u8; 32]>())?
            .to_string();
        Ok(Self {
            turns: Arc::new(Semaphore::new((cores / 2).max(1))),
            waiting: Arc::default(),
            decoy: decoy.into(),
        })
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

    /// Whether the password is the one that was hashed. Without a hash the answer is no, after the
    /// same time.
    pub async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.to_string());
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
        // The turn goes along: a client that leaves does not let another hash start beside this one.
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
