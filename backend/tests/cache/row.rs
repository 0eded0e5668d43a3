//! One row, and a reader of it that can be held between its reading and its answer.
//!
//! Come here for a test that needs a handler to wait in its middle.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use actix_web::http::header::AUTHORIZATION;
use actix_web::test::TestRequest;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, rt};
use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::settings::CacheBackendKind;
use tokio::sync::Semaphore;

use crate::harness::{Reply, Runs, TestApp, get, no_content, send};

pub const ITEM: CachePolicy = CachePolicy::new("item")
    .resource_id_name("id")
    .expiration(600)
    .shared();
pub const PAGE: CachePolicy = CachePolicy::new("list_{owner}:page_{id}")
    .resource_id_name("id")
    .group("list_{owner}")
    .shared();

/// A read, and the write that makes it stale.
pub const WAYS: [(&str, &str); 3] = [
    ("/items/1", "/items/1"),
    ("/ada/pages/1", "/ada/by-group"),
    ("/ada/pages/1", "/ada/by-pattern"),
];

pub fn works_on(kind: CacheBackendKind, write: &str) -> bool {
    kind != CacheBackendKind::Memcached || !write.ends_with("pattern")
}

/// The row; clones share it.
#[derive(Clone, Default)]
pub struct Row(Arc<RowState>);

struct RowState {
    value: AtomicUsize,
    runs: Runs,
    held: AtomicBool,
    entered: Semaphore,
    released: Semaphore,
}

impl Default for RowState {
    fn default() -> Self {
        Self {
            value: AtomicUsize::new(1),
            runs: Runs::default(),
            held: AtomicBool::new(false),
            entered: Semaphore::new(0),
            released: Semaphore::new(0),
        }
    }
}

impl Row {
    pub async fn read(&self) -> usize {
        self.0.runs.count();
        let value = self.0.value.load(Ordering::SeqCst);
        if self.0.held.load(Ordering::SeqCst) {
            self.0.entered.add_permits(1);
            self.0.released.acquire().await.unwrap().forget();
        }
        value
    }

    /// Holds every reader from now on.
    pub fn hold(&self) {
        self.0.held.store(true, Ordering::SeqCst);
    }

    /// Waits until a held reader has read.
    pub async fn entered(&self) {
        self.0.entered.acquire().await.unwrap().forget();
    }

    /// Lets the held readers go on. Later readers are not held.
    pub fn release(&self, readers: usize) {
        self.0.held.store(false, Ordering::SeqCst);
        self.0.released.add_permits(readers);
    }

    pub fn write(&self) {
        self.0.value.fetch_add(1, Ordering::SeqCst);
    }

    pub fn runs(&self) -> usize {
        self.0.runs.total()
    }

    /// Reading routes for an item and for pages, and writes that invalidate in each of the three ways.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let row = self.clone();
        move |config| {
            let reader = row.clone();
            let read = move || {
                let reader = reader.clone();
                async move { HttpResponse::Ok().body(reader.read().await.to_string()) }
            };
            let write = move || {
                row.write();
                no_content()
            };
            config.route("/items/{id}", web::get().to(read.clone()).wrap(ITEM));
            config.route("/items/{id}", web::post().to(write.clone()).wrap(ITEM));
            config.route("/{owner}/pages/{id}", web::get().to(read).wrap(PAGE));
            let by_group = CachePolicy::new("none")
                .resource_id("none")
                .to_invalidate_groups(&["list_{owner}"]);
            config.route(
                "/{owner}/by-group",
                web::post().to(write.clone()).wrap(by_group),
            );
            let by_pattern = CachePolicy::new("none")
                .resource_id("none")
                .pattern_to_invalidate_extra(&["list_{owner}:*"]);
            config.route(
                "/{owner}/by-pattern",
                web::post().to(write).wrap(by_pattern),
            );
        }
    }
}

/// Starts a read with this `Authorization` and leaves it running.
pub fn start_with<A: TestApp + 'static>(
    app: &Rc<A>,
    path: &'static str,
    authorization: &'static str,
) -> rt::task::JoinHandle<Reply> {
    let app = Rc::clone(app);
    rt::spawn(async move {
        let request = TestRequest::get().uri(path);
        send(&*app, request.insert_header((AUTHORIZATION, authorization))).await
    })
}

/// Starts a read and leaves it running.
pub fn start<A: TestApp + 'static>(app: &Rc<A>, path: &'static str) -> rt::task::JoinHandle<Reply> {
    let app = Rc::clone(app);
    rt::spawn(async move { get(&*app, path).await })
}
