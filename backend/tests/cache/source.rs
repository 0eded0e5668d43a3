//! A handler that a test lets succeed, fail or wait, behind a policy.
//! Come here when a test of freshness needs a new way to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use backend::infrastructure::cache::CachePolicy;
use tokio::sync::Semaphore;

use crate::harness::{Harness, Runs, TestApp, app, no_content};

pub const ITEM: CachePolicy = CachePolicy::new("item")
    .resource_id_name("id")
    .expiration(60)
    .shared();

type Configure = Box<dyn FnOnce(&mut ServiceConfig)>;

/// A handler that a test lets succeed, fail or wait.
#[derive(Clone)]
pub struct Source(Arc<SourceState>);

struct SourceState {
    runs: Runs,
    value: AtomicUsize,
    status: AtomicU16,
    gate: Semaphore,
}

impl Source {
    pub fn new() -> Self {
        Self(Arc::new(SourceState {
            runs: Runs::default(),
            value: AtomicUsize::new(1),
            status: AtomicU16::new(200),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        }))
    }

    pub fn set(&self, value: usize) {
        self.0.value.store(value, Ordering::SeqCst);
    }

    pub fn answer_with(&self, status: u16) {
        self.0.status.store(status, Ordering::SeqCst);
    }

    /// No request passes until [`Self::open`].
    pub fn close(&self) {
        let taken = self.0.gate.available_permits();
        self.0.gate.forget_permits(taken);
    }

    pub fn open(&self) {
        self.0.gate.add_permits(1000);
    }

    pub fn runs(&self) -> usize {
        self.0.runs.total()
    }

    pub fn app(
        &self,
        harness: &Harness,
        policy: CachePolicy,
    ) -> impl Future<Output = impl TestApp + 'static + use<>> + use<> {
        let source = self.clone();
        let read = move || {
            let source = source.clone();
            async move {
                source.0.runs.count();
                let value = source.0.value.load(Ordering::SeqCst);
                drop(source.0.gate.acquire().await.unwrap());
                let status = StatusCode::from_u16(source.0.status.load(Ordering::SeqCst)).unwrap();
                HttpResponse::build(status).body(value.to_string())
            }
        };
        app(
            harness.cache.clone(),
            Box::new(move |config: &mut ServiceConfig| {
                config.route("/{id}", web::get().to(read).wrap(policy));
                config.route("/{id}", web::post().to(no_content).wrap(policy));
            }) as Configure,
        )
    }
}
