//! Several Memcached servers (C61): one of them freezes, ends or returns with old entries. The same under load, with real
//! processes, is in `resilience`.
//!
//! Come here for a fault of one server. A fault of the way to it is in `one_cut_off`.

use actix_web::web;
use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::harness::{Harness, Runs, TestApp, both, get, no_content, numbered, post, settings};
use crate::support::eventually;
use crate::support::server::{Kind, Server};

pub const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();
const PAGE: CachePolicy = CachePolicy::new("page_{id}")
    .resource_id("all")
    .group("pages")
    .shared();
pub const KEYS: usize = 60;

pub fn start_servers(count: usize) -> Vec<Server> {
    (0..count).map(|_| Server::start(Kind::Memcached)).collect()
}

/// Settings for these servers, in this order.
pub fn on<'a>(servers: impl IntoIterator<Item = &'a Server>, namespace: &str) -> CacheSettings {
    let names = servers
        .into_iter()
        .map(|server| format!("127.0.0.1:{}", server.port));
    CacheSettings {
        cache_memcached_servers: names.collect::<Vec<_>>().join(","),
        cache_namespace: namespace.to_owned(),
        cache_operation_timeout_ms: 250,
        ..settings(CacheBackendKind::Memcached)
    }
}

pub fn namespace() -> String {
    settings(CacheBackendKind::Memcached).cache_namespace
}

pub async fn item_app(harness: &Harness) -> impl TestApp + 'static + use<> {
    harness.app(both("/{id}", ITEM, &Runs::default())).await
}

/// The numbers of the keys that are hits.
async fn hits(app: &impl TestApp) -> Vec<usize> {
    let mut hits = Vec::new();
    for number in 0..KEYS {
        if get(app, &format!("/{number}")).await.is_hit() {
            hits.push(number);
        }
    }
    hits
}

pub async fn all_are_hits(app: &impl TestApp, what: &str) {
    eventually(what, async || hits(app).await.len() == KEYS).await;
}

/// Waits until the instance knows that the server is unavailable.
async fn is_down(harness: &Harness, server: &Server) {
    let name = format!("127.0.0.1:{}", server.port);
    eventually("the health check names the server", async || {
        harness
            .cache
            .shortfall()
            .is_some_and(|reason| reason.contains(&name))
    })
    .await;
}

/// The number of entries that a server stores.
fn stored(server: &Server) -> usize {
    let mut found = 0;
    let mut connection = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    std::io::Write::write_all(&mut connection, b"stats items\r\n").unwrap();
    for line in std::io::BufRead::lines(std::io::BufReader::new(connection)) {
        let line = line.unwrap();
        if line == "END" {
            break;
        }
        if line.contains(":number ") {
            let count = line.rsplit(' ').next().unwrap();
            found += count.parse::<usize>().unwrap();
        }
    }
    found
}

#[actix_web::test]
async fn c61_a_server_that_ends_costs_the_hits_of_its_keys_and_no_other() {
    let mut servers = start_servers(3);
    let harness = Harness::with_settings(on(&servers, &namespace())).await;
    let app = item_app(&harness).await;
    all_are_hits(&app, "everything is cached").await;
    // Its record is no entry.
    let share = stored(&servers[1]) - 1;
    assert!((1..KEYS).contains(&share), "{share} of {KEYS} keys");
    servers[1].kill();
    eventually("its keys are no hits", async || {
        hits(&app).await.len() == KEYS - share
    })
    .await;
    is_down(&harness, &servers[1]).await;
    // The keys are the same each time, and their answers are correct.
    let remaining = hits(&app).await;
    let lost = (0..KEYS)
        .find(|number| !remaining.contains(number))
        .unwrap();
    let reply = get(&app, &format!("/{lost}")).await;
    assert_eq!(reply.outcome(), "backend; fwd=bypass; detail=unavailable");
    for number in &remaining {
        post(&app, &format!("/{number}")).await;
        assert!(!get(&app, &format!("/{number}")).await.is_hit());
        assert!(get(&app, &format!("/{number}")).await.is_hit());
    }
    servers[1].restart();
    all_are_hits(&app, "its keys are hits again").await;
    assert_eq!(harness.cache.shortfall(), None);
}

#[actix_web::test]
async fn c61_a_server_that_returns_with_old_entries_serves_none_of_them() {
    let servers = start_servers(3);
    let namespace = namespace();
    let first = Harness::with_settings(on(&servers, &namespace)).await;
    let second = Harness::with_settings(on(servers.iter().rev(), &namespace)).await;
    // One row for each key: the answer is the number of its writes.
    let runs = Runs::default();
    let routes = || both("/{id}", ITEM, &runs);
    let (app, other) = (first.app(routes()).await, second.app(routes()).await);
    all_are_hits(&app, "everything is cached").await;
    for stopped in &servers {
        let mut before = Vec::new();
        for number in 0..KEYS {
            before.push(get(&app, &format!("/{number}")).await.text());
        }
        stopped.signal("STOP");
        for number in 0..KEYS {
            assert_eq!(post(&app, &format!("/{number}")).await.status, 204);
        }
        is_down(&first, stopped).await;
        is_down(&second, stopped).await;
        stopped.signal("CONT");
        for _ in 0..10 {
            for (number, old) in before.iter().enumerate() {
                for app in [&app as &dyn Reads, &other] {
                    assert_ne!(app.read(number).await, *old, "{number}");
                }
            }
        }
        all_are_hits(&app, "everything is cached again").await;
        all_are_hits(&other, "also for the other instance").await;
    }
}

/// A read through either of two applications.
pub trait Reads {
    fn read(&self, number: usize) -> std::pin::Pin<Box<dyn Future<Output = String> + '_>>;
}

impl<T: TestApp> Reads for T {
    fn read(&self, number: usize) -> std::pin::Pin<Box<dyn Future<Output = String> + '_>> {
        Box::pin(async move { get(self, &format!("/{number}")).await.text() })
    }
}

#[actix_web::test]
async fn c61_an_entry_ends_with_its_group_whose_record_is_on_a_server_that_froze() {
    let servers = start_servers(3);
    let harness = Harness::with_settings(on(&servers, &namespace())).await;
    let runs = Runs::default();
    let read = numbered(&runs);
    let app = harness
        .app(move |config| {
            config.route("/{id}", web::get().to(read).wrap(PAGE));
            let ends = CachePolicy::new("none")
                .resource_id("none")
                .to_invalidate_groups(&["pages"]);
            config.route("/", web::post().to(no_content).wrap(ends));
        })
        .await;
    all_are_hits(&app, "every page is cached").await;
    for frozen in &servers {
        let mut before = Vec::new();
        for number in 0..KEYS {
            before.push(get(&app, &format!("/{number}")).await.text());
        }
        frozen.signal("STOP");
        assert_eq!(post(&app, "/").await.status, 204);
        frozen.signal("CONT");
        for (number, old) in before.iter().enumerate() {
            assert_ne!(
                get(&app, &format!("/{number}")).await.text(),
                *old,
                "{number}"
            );
        }
        all_are_hits(&app, "every page is cached again").await;
    }
}

#[actix_web::test]
async fn c61_the_order_of_the_list_does_not_matter() {
    let servers = start_servers(3);
    let namespace = namespace();
    let first = Harness::with_settings(on(&servers, &namespace)).await;
    let other = Harness::with_settings(on(servers.iter().rev(), &namespace)).await;
    let (app, other) = (item_app(&first).await, item_app(&other).await);
    all_are_hits(&app, "everything is cached").await;
    assert_eq!(
        hits(&other).await.len(),
        KEYS,
        "each looks where the other stores"
    );
    for number in 0..KEYS {
        post(&other, &format!("/{number}")).await;
    }
    assert_eq!(hits(&app).await, [] as [usize; 0]);
}
