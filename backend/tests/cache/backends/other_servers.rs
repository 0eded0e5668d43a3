//! A host name that leads to another server than before, or to a server in another state.
//!
//! Come here for failovers from the view of a single client. Whole failovers with real processes are in
//! `resilience`.

use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::cache::backends::CacheBackend;
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use futures_util::future::join_all;

use crate::harness::{Harness, Log, TestApp, backend, get, near_settings, settings};
use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::{Kind, Server};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

async fn hits_come(app: &impl TestApp, what: &str) {
    eventually(what, async || {
        // Misses too: only they write, and find that the server refuses writes.
        get(app, &format!("/{}", rand::random_range(2..1000))).await;
        get(app, "/1").await.is_hit()
    })
    .await;
}

/// Redis through a proxy, with and without a near cache.
async fn through_proxies(server: &Server) -> Vec<(Harness, Proxy)> {
    let mut harnesses = Vec::new();
    for settings in [settings(CacheBackendKind::Redis), near_settings()] {
        let proxy = Proxy::start(server.port).await;
        let settings = CacheSettings {
            cache_redis_port: proxy.port,
            cache_operation_timeout_ms: 1000,
            ..settings
        };
        harnesses.push((Harness::with_settings(settings).await, proxy));
    }
    harnesses
}

#[actix_web::test]
async fn c57_a_redis_that_became_a_replica_is_left_for_the_new_master() {
    let first = Server::start(Kind::Redis);
    let second = Server::start(Kind::Redis);
    for (harness, proxy) in through_proxies(&first).await {
        let app = harness.numbered_app(ITEM).await;
        hits_come(&app, "it is cached").await;
        assert_eq!(second.say("REPLICAOF NO ONE"), "+OK");
        proxy.lead_to(second.port);
        let demotion = format!("REPLICAOF 127.0.0.1 {}", second.port);
        assert_eq!(first.say(&demotion), "+OK");
        eventually("the new master is used", async || {
            get(&app, "/1").await;
            second.say(&format!("EXISTS {}", harness.full_key("item:1"))) == ":1"
        })
        .await;
        hits_come(&app, "hits come from the new master").await;
        assert_eq!(first.say("REPLICAOF NO ONE"), "+OK");
    }
}

/// Errors of a server that has no data, refuses the login, or is read-only.
const ELSEWHERE: [&str; 4] = [
    "-READONLY You can't write against a read only replica.\r\n",
    "-LOADING Redis is loading the dataset in memory\r\n",
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
    "-NOAUTH Authentication required.\r\n",
];

#[actix_web::test]
async fn c57_a_look_up_that_a_replica_or_a_loading_server_refuses_closes_its_connection() {
    let direct = settings(CacheBackendKind::Redis);
    for reply in ELSEWHERE {
        let proxy = Proxy::start(direct.cache_redis_port).await;
        let backend = backend(&CacheSettings {
            cache_redis_port: proxy.port,
            ..direct.clone()
        });
        assert_eq!(backend.get("none").await.unwrap(), None);
        proxy.set_for_open(Mode::Say(reply));
        assert!(backend.get("none").await.is_err(), "{reply}");
        assert_eq!(backend.get("none").await.unwrap(), None, "{reply}");
    }
}

#[actix_web::test]
async fn c57_a_replica_that_answers_look_ups_is_not_used() {
    let (first, second) = (Server::start(Kind::Redis), Server::start(Kind::Redis));
    let backend = backend(&CacheSettings {
        cache_redis_port: first.port,
        ..settings(CacheBackendKind::Redis)
    });
    identity(&*backend).await;
    let demotion = format!("REPLICAOF 127.0.0.1 {}", second.port);
    assert_eq!(first.say(&demotion), "+OK");
    let refused = format!("{:?}", backend.server_identity().await);
    assert!(refused.contains("replica"), "{refused}");
}

#[actix_web::test]
async fn c57_connections_to_a_server_that_refuses_the_login_are_replaced() {
    let server = Server::start(Kind::Redis);
    for reply in ELSEWHERE {
        for (harness, proxy) in through_proxies(&server).await {
            let app = harness.numbered_app(ITEM).await;
            hits_come(&app, "it is cached").await;
            proxy.set_for_open(Mode::Say(reply));
            eventually("the fault is noticed", async || {
                get(&app, &format!("/{}", rand::random_range(2..1000))).await;
                !get(&app, "/1").await.is_hit()
            })
            .await;
            hits_come(&app, reply).await;
        }
    }
}

#[actix_web::test]
async fn c59_without_the_dangerous_commands_the_cache_works() {
    let server = Server::start(Kind::Redis);
    let user = "ACL SETUSER default on nopass ~* &* +@all -@dangerous";
    assert_eq!(server.say(user), "+OK");
    for settings in [settings(CacheBackendKind::Redis), near_settings()] {
        let settings = CacheSettings {
            cache_redis_port: server.port,
            ..settings
        };
        let log = Log::collect();
        let harness = Harness::with_settings(settings).await;
        let app = harness.numbered_app(ITEM).await;
        hits_come(&app, "it is cached").await;
        assert_eq!(log.lines_with(&["permission"]), Vec::<String>::new());
        assert_eq!(harness.cache.shortfall(), None);
    }
}

/// The identity of the server, as soon as it answers.
async fn identity(backend: &dyn CacheBackend) -> String {
    eventually("the server is known", async || {
        backend.server_identity().await.is_ok()
    })
    .await;
    backend.server_identity().await.unwrap()
}

#[actix_web::test]
async fn c59_a_server_is_the_same_for_all_until_it_restarts() {
    let mut server = Server::start(Kind::Redis);
    let settings = CacheSettings {
        cache_redis_port: server.port,
        ..settings(CacheBackendKind::Redis)
    };
    let all: Vec<_> = (0..5).map(|_| backend(&settings)).collect();
    let identities = async || {
        let identities = join_all(all.iter().map(|backend| identity(&**backend))).await;
        // The first answers may be from before another instance stored the identity.
        let settled = identity(&*all[0]).await;
        for backend in &all {
            assert_eq!(identity(&**backend).await, settled, "{identities:?}");
        }
        settled
    };
    let first = identities().await;
    assert_eq!(identities().await, first);
    // As an eviction or a deletion by pattern does it.
    let name = format!("DEL {}:~server", settings.cache_namespace);
    assert_eq!(server.say(&name), ":1");
    assert_eq!(identities().await, first, "the process is the same");
    assert_eq!(server.say("SAVE"), "+OK");
    server.restart();
    let second = identities().await;
    assert_ne!(second, first, "with the same data it is another process");
    assert_eq!(server.say("SCRIPT FLUSH"), "+OK");
    assert_ne!(identities().await, second);
}

#[actix_web::test]
async fn c35_a_promoted_replica_is_another_server() {
    let first = Server::start(Kind::Redis);
    let second = Server::start(Kind::Redis);
    let proxy = Proxy::start(first.port).await;
    let settings = CacheSettings {
        cache_redis_port: proxy.port,
        ..settings(CacheBackendKind::Redis)
    };
    let backend = backend(&settings);
    let before = identity(&*backend).await;
    let name = format!("EXISTS {}:~server", settings.cache_namespace);
    let replication = format!("REPLICAOF 127.0.0.1 {}", first.port);
    assert_eq!(second.say(&replication), "+OK");
    eventually("it is replicated", async || second.say(&name) == ":1").await;
    assert_eq!(second.say("REPLICAOF NO ONE"), "+OK");
    proxy.lead_to(second.port);
    proxy.kill_connections();
    assert_ne!(identity(&*backend).await, before);
}

#[actix_web::test]
async fn c59_a_missing_permission_is_reported_once_with_the_command() {
    let server = Server::start(Kind::Redis);
    let user = "ACL SETUSER default on nopass ~* &* +@all -@scripting";
    assert_eq!(server.say(user), "+OK");
    let settings = CacheSettings {
        cache_redis_port: server.port,
        ..settings(CacheBackendKind::Redis)
    };
    let log = Log::collect();
    let harness = Harness::with_settings(settings).await;
    let app = harness.numbered_app(ITEM).await;
    for _ in 0..20 {
        assert_eq!(get(&app, "/1").await.status, 200);
    }
    eventually("it is reported", async || {
        !log.lines_with(&["ERROR", "permission", "'script|"])
            .is_empty()
    })
    .await;
    let user = "ACL SETUSER default on nopass ~* &* +@all";
    assert_eq!(server.say(user), "+OK");
    hits_come(&app, "it works when it is granted").await;
    assert_eq!(log.lines_with(&["ERROR", "'script|load'"]).len(), 1);
}
