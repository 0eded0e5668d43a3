//! The harness of the cache's tests: a cache on each backend, and applications around it.
//!
//! Come here for the applications of a test. Settings and servers are in `topologies`, ways to the servers beside the cache are in `server_access`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, Error, HttpResponse};
use backend::infrastructure::cache::backends::Nodes;
use backend::infrastructure::cache::{Cache, CacheOptions, CachePolicy, Clock, ManualClock};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};
use futures_util::future::join_all;
use tokio::time::timeout;

pub use crate::collected_log::Log;
pub use crate::topologies::{backend, near_settings, nodes, of_every_backend, reached, settings};

/// A cache in a namespace of its own, whose clock the test moves.
pub struct Harness {
    pub kind: CacheBackendKind,
    pub settings: CacheSettings,
    pub cache: Cache,
    pub clock: ManualClock,
}

impl Harness {
    pub async fn new(kind: CacheBackendKind) -> Self {
        Self::with_settings(settings(kind)).await
    }

    pub async fn with_settings(settings: CacheSettings) -> Self {
        let default = reached(&settings).await;
        Self::with_backends(settings, vec![("default".to_owned(), default)]).await
    }

    pub async fn with_backends(
        settings: CacheSettings,
        backends: Vec<(String, impl Into<Nodes>)>,
    ) -> Self {
        Self::at(ManualClock::now(), settings, backends).await
    }

    /// Another instance on the same servers and in the same namespace.
    pub async fn another(&self) -> Self {
        let backends = vec![("default".to_owned(), reached(&self.settings).await)];
        Self::at(self.clock.clone(), self.settings.clone(), backends).await
    }

    async fn at(
        clock: ManualClock,
        settings: CacheSettings,
        backends: Vec<(String, impl Into<Nodes>)>,
    ) -> Self {
        let (options, time) = (CacheOptions::from(&settings), Clock::Manual(clock.clone()));
        Self {
            kind: settings.cache_backend,
            cache: Cache::with_backends(&options, true, backends, time).await,
            settings,
            clock,
        }
    }

    /// Another instance, if instances share the backend.
    pub async fn another_if_shared(&self) -> Option<Self> {
        if self.kind == CacheBackendKind::Memory {
            None
        } else {
            Some(self.another().await)
        }
    }

    /// A cache on each backend.
    pub async fn on_every_backend() -> Vec<Self> {
        Self::on_every_backend_with(|_| {}).await
    }

    /// A cache on each backend, with changed settings.
    pub async fn on_every_backend_with(change: impl Fn(&mut CacheSettings)) -> Vec<Self> {
        let all = of_every_backend().map(|mut settings| {
            change(&mut settings);
            Self::with_settings(settings)
        });
        join_all(all).await
    }

    /// A cache on each backend that instances share.
    pub async fn on_shared_backends() -> Vec<Self> {
        let shared = of_every_backend()
            .into_iter()
            .filter(|settings| settings.cache_backend != CacheBackendKind::Memory);
        join_all(shared.map(Self::with_settings)).await
    }

    /// An application with these routes around the cache.
    pub fn app<C: FnOnce(&mut ServiceConfig)>(
        &self,
        configure: C,
    ) -> impl Future<Output = impl TestApp + 'static + use<C>> + use<C> {
        app(self.cache.clone(), configure)
    }

    /// An application with one route, `/{id}`, whose handler numbers its answers.
    pub async fn numbered_app(&self, policy: CachePolicy) -> impl TestApp + 'static + use<> {
        let handler = numbered(&Runs::default());
        self.app(move |config| {
            config.route("/{id}", web::get().to(handler).wrap(policy));
        })
        .await
    }

    /// The key in the server's form.
    pub fn full_key(&self, key: &str) -> String {
        format!("{}:{key}", self.settings.cache_namespace)
    }
}

/// An application under test.
pub trait TestApp:
    Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error>
{
}

impl<T> TestApp for T where
    T: Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error>
{
}

/// An application with these routes around a cache.
pub async fn app<C: FnOnce(&mut ServiceConfig)>(
    cache: Cache,
    configure: C,
) -> impl TestApp + 'static + use<C> {
    let app = App::new().app_data(Data::new(cache)).configure(configure);
    init_service(app).await
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }

    /// The value of `Cache-Status` without the key, and without the names that a write invalidated.
    pub fn outcome(&self) -> &str {
        let status = self.header("cache-status");
        let outcome = status.split("; key=").next().unwrap_or_default();
        outcome.split("; invalidated=").next().unwrap_or_default()
    }

    pub fn key(&self) -> &str {
        let status = self.header("cache-status");
        status
            .split_once("; key=\"")
            .map_or("", |(_, key)| key.trim_end_matches('"'))
    }

    pub fn is_hit(&self) -> bool {
        self.outcome().starts_with("backend; hit")
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }
}

/// What the application answers, within 20 seconds: far longer than any deadline here, so that a request
/// that hangs fails its test instead of stopping it.
pub async fn send(app: &impl TestApp, request: TestRequest) -> Reply {
    let answered = timeout(
        Duration::from_secs(20),
        call_service(app, request.to_request()),
    );
    let response = answered.await.expect("an answer within 20 s");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = to_bytes(response.into_body())
        .await
        .map_err(|_| "a broken body")
        .expect("a body");
    Reply {
        status,
        headers,
        body: body.to_vec(),
    }
}

pub async fn get(app: &impl TestApp, path: &str) -> Reply {
    send(app, TestRequest::get().uri(path)).await
}

pub async fn post(app: &impl TestApp, path: &str) -> Reply {
    send(app, TestRequest::post().uri(path)).await
}

pub async fn delete(app: &impl TestApp, path: &str) -> Reply {
    send(app, TestRequest::delete().uri(path)).await
}

/// The number of runs of a handler. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Runs(Arc<AtomicUsize>);

impl Runs {
    /// Counts a run and answers its number, from 1.
    pub fn count(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub fn total(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A handler that answers with the number of its run.
pub fn numbered(
    runs: &Runs,
) -> impl Fn() -> std::future::Ready<HttpResponse> + Clone + 'static + use<> {
    let runs = runs.clone();
    move || std::future::ready(HttpResponse::Ok().body(format!("run {}", runs.count())))
}

/// Adds a GET route of a policy.
pub fn reads(config: &mut ServiceConfig, path: &str, policy: CachePolicy) {
    config.route(path, web::get().to(numbered(&Runs::default())).wrap(policy));
}

/// The routes of a policy: GET, and POST with the same policy.
pub fn both(
    path: &'static str,
    policy: CachePolicy,
    runs: &Runs,
) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let handler = numbered(runs);
    move |config| {
        config.service(
            web::resource(path)
                .route(web::get().to(handler).wrap(policy))
                .route(web::post().to(no_content).wrap(policy)),
        );
    }
}

/// Stores the answers of these paths, writes, and checks which of them are kept.
pub async fn check_kept(
    app: &impl TestApp,
    paths: &[(&str, bool)],
    write: impl Future<Output = Reply>,
    what: impl std::fmt::Debug,
) {
    for (path, _) in paths {
        get(app, path).await;
    }
    write.await;
    for (path, kept) in paths {
        assert_eq!(get(app, path).await.is_hit(), *kept, "{path} on {what:?}");
    }
}

/// A handler of a write that succeeds.
pub async fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}
