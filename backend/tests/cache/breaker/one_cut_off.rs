//! An instance that alone cannot reach one of several servers, while the others still reach it (C61).
//!
//! Come here for a fault of the way to one server. A fault of the server is in `several_servers`.

use std::time::{Duration, Instant};

use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::cache::backends::{Node, Nodes};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::harness::{Harness, Runs, TestApp, backend, both, get, post, settings};
use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::{Kind, Server};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();
const KEYS: usize = 40;

/// An instance with these servers, each reached at the port beside its name.
async fn instance(servers: &[(&Server, u16)], settings: &CacheSettings) -> Harness {
    let nodes = servers.iter().map(|(server, port)| Node {
        name: format!("127.0.0.1:{}", server.port),
        backend: backend(&CacheSettings {
            cache_memcached_port: *port,
            ..settings.clone()
        }),
    });
    let nodes = Nodes::new(nodes.collect()).unwrap();
    Harness::with_backends(settings.clone(), vec![("default".to_owned(), nodes)]).await
}

async fn hits(app: &impl TestApp) -> usize {
    let mut hits = 0;
    for number in 0..KEYS {
        hits += usize::from(get(app, &format!("/{number}")).await.is_hit());
    }
    hits
}

async fn all_are_hits(app: &impl TestApp, what: &str) {
    eventually(what, async || hits(app).await == KEYS).await;
}

#[actix_web::test]
async fn c61_a_server_that_one_instance_cannot_reach_is_trusted_by_none_until_it_can() {
    let servers = [(); 3].map(|()| Server::start(Kind::Memcached));
    let proxy = Proxy::start(servers[1].port).await;
    let direct: Vec<_> = servers.iter().map(|server| (server, server.port)).collect();
    let mut through = direct.clone();
    through[1].1 = proxy.port;
    let settings = CacheSettings {
        cache_operation_timeout_ms: 250,
        ..settings(CacheBackendKind::Memcached)
    };
    let (cut_off, other) = (
        instance(&through, &settings).await,
        instance(&direct, &settings).await,
    );
    let runs = Runs::default();
    let routes = || both("/{id}", ITEM, &runs);
    let (app, other_app) = (cut_off.app(routes()).await, other.app(routes()).await);
    all_are_hits(&app, "everything is cached").await;
    all_are_hits(&other_app, "for the other instance too").await;

    proxy.set(Mode::Refuse);
    eventually("the other instance distrusts the server", async || {
        // Any use of the server.
        hits(&app).await;
        hits(&other_app).await < KEYS
    })
    .await;
    // For longer than the other instance takes to remove this one from the server's record.
    let until = Instant::now() + Duration::from_secs(4);
    let mut last = vec![String::new(); KEYS];
    for number in (0..KEYS).cycle() {
        let path = format!("/{number}");
        last[number] = get(&other_app, &path).await.text();
        assert_eq!(post(&app, &path).await.status, 204);
        let after = get(&other_app, &path).await.text();
        assert_ne!(after, last[number], "{number}");
        if Instant::now() > until && number == KEYS - 1 {
            break;
        }
    }
    assert!(hits(&other_app).await > 0, "the other servers are used");

    proxy.set(Mode::Pass);
    all_are_hits(&app, "the server is trusted again").await;
    all_are_hits(&other_app, "by the other instance too").await;
    for (number, old) in last.iter().enumerate() {
        assert_ne!(
            get(&other_app, &format!("/{number}")).await.text(),
            *old,
            "{number}"
        );
    }

    // It ends without leaving, while it cannot reach the server.
    proxy.set(Mode::Refuse);
    eventually(
        "the other instance distrusts the server again",
        async || {
            hits(&app).await;
            hits(&other_app).await < KEYS
        },
    )
    .await;
    drop(app);
    drop(cut_off);
    all_are_hits(&other_app, "nobody waits for an instance that has ended").await;
}
