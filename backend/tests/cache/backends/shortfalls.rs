//! Available servers that lack something: room, CAS, or the command `CLIENT`. Each lack is reported.
//!
//! Come here for a limitation of a server that is no outage.

use backend::infrastructure::cache::{CacheHealth, CachePolicy};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::harness::{Harness, Log, get, near_settings, settings};
use crate::support::eventually;
use crate::support::server::{Kind, Server};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

#[actix_web::test]
async fn a_full_redis_is_reported_by_log_and_health_and_hits_go_on() {
    let server = Server::start(Kind::Redis);
    let settings = CacheSettings {
        cache_redis_port: server.port,
        ..settings(CacheBackendKind::Redis)
    };
    let log = Log::collect();
    let harness = Harness::with_settings(settings).await;
    let app = harness.numbered_app(ITEM).await;
    eventually("it is cached", async || get(&app, "/1").await.is_hit()).await;
    assert_eq!(harness.cache.shortfall(), None);
    assert_eq!(server.say("CONFIG SET maxmemory 1"), "+OK");
    for number in 2..6 {
        let reply = get(&app, &format!("/{number}")).await;
        assert_eq!(reply.status, 200);
        assert!(!reply.is_hit());
    }
    let shortfall = harness.cache.shortfall().unwrap();
    assert!(shortfall.contains("cannot store: "), "{shortfall}");
    assert!(shortfall.contains("maxmemory"), "{shortfall}");
    assert_eq!(harness.cache.health(), CacheHealth::Up);
    assert!(get(&app, "/1").await.is_hit());
    let warnings = log.lines_with(&["WARN", "redis", "refuses to store", "maxmemory"]);
    assert_eq!(warnings.len(), 1, "{:#?}", log.lines_with(&[]));
}

#[actix_web::test]
async fn a_script_that_a_full_redis_refuses_is_no_outage() {
    let server = Server::start(Kind::Redis);
    let settings = CacheSettings {
        cache_redis_port: server.port,
        ..settings(CacheBackendKind::Redis)
    };
    let harness = Harness::with_settings(settings.clone()).await;
    let app = harness.numbered_app(ITEM).await;
    let key = harness.full_key("item:1");
    get(&app, "/1").await;
    let backend = crate::harness::backend(&settings);
    let found = backend.get(&key).await.unwrap().unwrap();
    assert_eq!(server.say("CONFIG SET maxmemory 1"), "+OK");
    let minute = std::time::Duration::from_mins(1);
    let refused = backend
        .compare_and_set(&key, &found.version, found.value, minute)
        .await;
    let refused = format!("{refused:?}");
    assert!(refused.contains("CannotStore"), "{refused}");
}

#[actix_web::test]
async fn a_memcached_without_cas_is_reported_at_start() {
    let server = Server::start_with(Kind::Memcached, &["-C"]);
    let settings = CacheSettings {
        cache_memcached_port: server.port,
        ..settings(CacheBackendKind::Memcached)
    };
    let log = Log::collect();
    // The second run finds the values of the first.
    for _ in 0..2 {
        let harness = Harness::with_settings(settings.clone()).await;
        assert_eq!(harness.cache.health(), CacheHealth::Down);
        let app = harness.numbered_app(ITEM).await;
        assert_eq!(get(&app, "/1").await.status, 200);
    }
    let warnings = log.lines_with(&["WARN", "memcached", "start it without -C"]);
    assert!(!warnings.is_empty(), "{:#?}", log.lines_with(&[]));
}

#[actix_web::test]
async fn c59_a_near_cache_that_the_server_refuses_is_reported_and_begins_when_it_is_allowed() {
    let server = Server::start(Kind::Redis);
    let user = "ACL SETUSER default on nopass ~* &* +@all -client";
    assert_eq!(server.say(user), "+OK");
    let settings = CacheSettings {
        cache_redis_port: server.port,
        ..near_settings()
    };
    let log = Log::collect();
    let harness = Harness::with_settings(settings).await;
    let app = harness.numbered_app(ITEM).await;
    eventually("it is cached", async || get(&app, "/1").await.is_hit()).await;
    eventually("health reports it", async || {
        let shortfall = harness.cache.shortfall().unwrap_or_default();
        shortfall.contains("near cache off: ") && shortfall.contains("client")
    })
    .await;
    assert_eq!(harness.cache.health(), CacheHealth::Up);
    let user = "ACL SETUSER default on nopass ~* &* +@all";
    assert_eq!(server.say(user), "+OK");
    eventually("it is on", async || harness.cache.shortfall().is_none()).await;
    let warnings = log.lines_with(&["WARN", "near cache", "CLIENT"]);
    assert_eq!(warnings.len(), 1, "{:#?}", log.lines_with(&[]));
}
