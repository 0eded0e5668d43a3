//! A backend under the control of the test: its server can be replaced, and its answers can be held back.
//!
//! Come here for interleavings that a real server cannot be forced into. It keeps what it stores in memory.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backend::infrastructure::cache::backends::{BackendError, CacheBackend, Count, Found, Version};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};
use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::harness::{Harness, backend, settings};
use crate::support::eventually;

/// A server of the steered backend, by its number.
type Server = (usize, Arc<dyn CacheBackend>);

/// A backend on one of several servers.
pub struct Steered {
    settings: CacheSettings,
    server: Mutex<Server>,
    fails_pattern: AtomicBool,
    fails_visit: AtomicBool,
    visits: AtomicUsize,
    holds: AtomicBool,
    held: Semaphore,
    released: Semaphore,
}

impl Steered {
    /// A cache on a steered backend.
    pub async fn harness() -> (Harness, Arc<Self>) {
        // The deadline is longer than a recovery, so that a look-up can wait during one.
        let settings = settings(CacheBackendKind::Memory);
        let steered = Arc::new(Self {
            server: Mutex::new((1, backend(&settings))),
            settings: settings.clone(),
            fails_pattern: AtomicBool::new(false),
            fails_visit: AtomicBool::new(false),
            visits: AtomicUsize::new(0),
            holds: AtomicBool::new(false),
            held: Semaphore::new(0),
            released: Semaphore::new(0),
        });
        let registered: Arc<dyn CacheBackend> = Arc::<Self>::clone(&steered);
        let backends = vec![("default".to_owned(), registered)];
        (Harness::with_backends(settings, backends).await, steered)
    }

    /// Another instance on the same servers.
    pub async fn another(self: &Arc<Self>, harness: &Harness) -> Harness {
        let registered: Arc<dyn CacheBackend> = Arc::<Self>::clone(self);
        let backends = vec![("default".to_owned(), registered)];
        Harness::with_backends(harness.settings.clone(), backends).await
    }

    /// The next deletion by pattern fails.
    pub fn fail_next_pattern(&self) {
        self.fails_pattern.store(true, Ordering::SeqCst);
    }

    /// The next question for the server's identity fails.
    pub fn fail_next_visit(&self) {
        self.fails_visit.store(true, Ordering::SeqCst);
    }

    /// Waits until that question has come.
    pub async fn visit_has_failed(&self) {
        eventually("a visit fails", async || {
            !self.fails_visit.load(Ordering::SeqCst)
        })
        .await;
    }

    /// The number of visits so far, of all instances: each asks for the server's identity.
    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }

    /// The server's values under these full keys.
    pub async fn snapshot(&self, keys: &[String]) -> Vec<(String, Bytes)> {
        let server = self.server();
        let mut snapshot = Vec::new();
        for key in keys {
            if let Some(found) = server.get(key).await.unwrap() {
                snapshot.push((key.clone(), found.value));
            }
        }
        snapshot
    }

    /// Replaces the server by another one with a snapshot.
    pub async fn restart_with(&self, snapshot: Vec<(String, Bytes)>) {
        let server = backend(&self.settings);
        for (key, value) in snapshot {
            let lifetime = Duration::from_mins(10);
            server.set(&key, value, lifetime).await.unwrap();
        }
        let mut present = self.server.lock().unwrap();
        *present = (present.0 + 1, server);
    }

    /// From now on the server's answers about keys with `item:` are held back, and those to a removal of everything.
    pub fn hold(&self) {
        self.holds.store(true, Ordering::SeqCst);
    }

    /// Waits until an answer is held back.
    pub async fn is_held(&self) {
        let held = tokio::time::timeout(Duration::from_secs(20), self.held.acquire()).await;
        held.expect("an answer within 20 s").unwrap().forget();
    }

    /// Releases the answers that are held back, and holds no further ones.
    pub fn release(&self) {
        self.holds.store(false, Ordering::SeqCst);
        self.released.add_permits(1);
    }

    async fn answer_when_released(&self) {
        if self.holds.load(Ordering::SeqCst) {
            self.held.add_permits(1);
            self.released.acquire().await.unwrap().forget();
        }
    }

    fn server(&self) -> Arc<dyn CacheBackend> {
        Arc::clone(&self.server.lock().unwrap().1)
    }
}

#[async_trait]
impl CacheBackend for Steered {
    fn name(&self) -> &'static str {
        "steered"
    }

    fn max_key_bytes(&self) -> usize {
        1024
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, BackendError> {
        let found = self.server().get(key).await;
        if key.contains("item:") {
            self.answer_when_released().await;
        }
        found
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        let server = self.server();
        server
            .compare_and_set(key, expected, value, expiration)
            .await
    }

    async fn set(&self, key: &str, value: Bytes, expiration: Duration) -> Result<(), BackendError> {
        self.server().set(key, value, expiration).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        self.server().delete(keys).await
    }

    async fn increment(&self, key: &str, expiration: Duration) -> Result<Count, BackendError> {
        self.server().increment(key, expiration).await
    }

    async fn decrement(&self, key: &str) -> Result<(), BackendError> {
        self.server().decrement(key).await
    }

    async fn delete_pattern(&self, pattern: &str) -> Result<u64, BackendError> {
        if self.fails_pattern.swap(false, Ordering::SeqCst) {
            return Err(BackendError::Unavailable("failed on demand".to_owned()));
        }
        self.server().delete_pattern(pattern).await
    }

    async fn clear(&self, prefix: &str, kept: &str) -> Result<(), BackendError> {
        let cleared = self.server().clear(prefix, kept).await;
        self.answer_when_released().await;
        cleared
    }

    async fn server_identity(&self) -> Result<String, BackendError> {
        self.visits.fetch_add(1, Ordering::SeqCst);
        if self.fails_visit.swap(false, Ordering::SeqCst) {
            return Err(BackendError::Unavailable("failed on demand".to_owned()));
        }
        Ok(format!("server {}", self.server.lock().unwrap().0))
    }
}
