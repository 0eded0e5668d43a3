//! Micro-benchmarks of the cache through its public interface: the provider, and the middleware in a service without
//! sockets. Run with `cargo bench --bench micro`.
//!
//! *entry* is a look-up in the memory backend, without and with parsing of the entry. *middleware* is a whole request:
//! the cost of the cache is the difference from `handler alone`, and the cost of a longer key is the difference from
//! `hit`.
//!
//! Come here after changing the path of a hit. Whole programs are measured by `report`.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up ends at once"
)]

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

use actix_web::dev::Service;
use actix_web::rt::{System, SystemRunner};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse, Route, web};
use backend::infrastructure::cache::backends::{CacheBackend, MemoryBackend};
use backend::infrastructure::cache::{Cache, CacheOptions, CachePolicy};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A body of the same size as the answers of `scripts/bench`.
const BODY: &str = match str::from_utf8(&[b'x'; 348]) {
    Ok(body) => body,
    Err(_) => "",
};

/// The key `widget:42`.
const WIDGET: CachePolicy = CachePolicy::new("widget").shared();
/// A key with a name from the path and two numbers from the query.
const PAGE: CachePolicy = CachePolicy::new("user_{username}_widgets:page_{page}:size_{size}")
    .resource_id_name("username")
    .query::<PageQuery>()
    .shared();
/// A key with a hash of the query.
const SEARCH: CachePolicy = CachePolicy::new("widget_search")
    .resource_id_name("query_hash")
    .query::<PageQuery>()
    .shared();
/// A key whose entry belongs to a group: two look-ups.
const GROUPED: CachePolicy = CachePolicy::new("grouped").group("all").shared();

#[derive(Deserialize, Serialize)]
struct PageQuery {
    page: u32,
    size: u32,
}

fn settings(enabled: bool) -> CacheSettings {
    CacheSettings {
        cache_enabled: enabled,
        cache_backend: CacheBackendKind::Memory,
        ..CacheSettings::default()
    }
}

async fn cache(enabled: bool) -> Cache {
    Cache::connect(&CacheOptions::from(&settings(enabled)), false)
        .await
        .expect("the memory backend needs nothing")
}

/// The time of this many runs of the operation.
fn repeat<F: Future>(
    system: &SystemRunner,
    iterations: u64,
    operation: impl Fn() -> F,
) -> Duration {
    system.block_on(async {
        let started = Instant::now();
        for _ in 0..iterations {
            black_box(operation().await);
        }
        started.elapsed()
    })
}

fn entry(criterion: &mut Criterion) {
    let system = System::new();
    let mut group = criterion.benchmark_group("entry");
    for (name, bytes) in [("348 bytes", 348), ("64 KiB", 65_536)] {
        let backend = MemoryBackend::new(settings(true).cache_memory_max_bytes);
        let stored = backend.set(
            "widget:42",
            Bytes::from(vec![b'x'; bytes]),
            Duration::from_hours(1),
        );
        system.block_on(stored).expect("the value is stored");
        group.bench_function(format!("look-up, {name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                repeat(&system, iterations, || backend.get(black_box("widget:42")))
            });
        });
        let cache = system.block_on(cache(true));
        // A JSON string has two quotes more.
        let value = "x".repeat(bytes - 2);
        system
            .block_on(cache.set("widget:42", &value, None))
            .expect("the value is stored");
        group.bench_function(format!("look-up and parsing, {name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                repeat(&system, iterations, || cache.exists(black_box("widget:42")))
            });
        });
    }
    group.finish();
}

fn middleware(criterion: &mut Criterion) {
    let system = System::new();
    let mut group = criterion.benchmark_group("middleware");
    let route = || web::get().to(|| async { HttpResponse::Ok().body(BODY) });
    let cases: [(&str, Route, bool, &str); 8] = [
        ("handler alone", route(), true, "/widgets/42"),
        ("cache disabled", route().wrap(WIDGET), false, "/widgets/42"),
        ("hit", route().wrap(WIDGET), true, "/widgets/42"),
        (
            "hit, conditional",
            route().wrap(WIDGET),
            true,
            "/widgets/42",
        ),
        (
            "hit, key of path and query",
            route().wrap(PAGE),
            true,
            "/users/johndoe?page=2&size=50",
        ),
        (
            "hit, key with a hash",
            route().wrap(SEARCH),
            true,
            "/widgets?page=2&size=50",
        ),
        (
            "hit, in a group",
            route().wrap(GROUPED),
            true,
            "/widgets/42",
        ),
        ("miss and fill", route().wrap(WIDGET), true, "/widgets/"),
    ];
    for (name, route, enabled, uri) in cases {
        let resource = web::resource(["/widgets", "/widgets/{widget_id}", "/users/{username}"]);
        let service = system.block_on(async {
            let cache = web::Data::new(cache(enabled).await);
            init_service(App::new().app_data(cache).service(resource.route(route))).await
        });
        let next_id = Cell::new(0_u64);
        // The first request fills the cache.
        let etag = system.block_on(async {
            let response = service
                .call(TestRequest::with_uri(uri).to_request())
                .await
                .expect("an answer");
            response.headers().get("etag").cloned()
        });
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                repeat(&system, iterations, || {
                    let mut request = TestRequest::with_uri(uri);
                    if name.starts_with("miss") {
                        next_id.set(next_id.get() + 1);
                        request = request.uri(&format!("{uri}{}", next_id.get()));
                    }
                    if let (true, Some(etag)) = (name.ends_with("conditional"), &etag) {
                        request = request.insert_header(("if-none-match", etag.clone()));
                    }
                    service.call(request.to_request())
                })
            });
        });
    }
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50);
    targets = entry, middleware
);
criterion_main!(benches);
