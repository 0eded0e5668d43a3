//! Faults of some of the connections to an available cache (C57), with real processes under load, as firewalls, proxies
//! and failovers cause them. Each drill prints a line like those of `outage`.
//!
//! Come here for a fault that does not concern every connection. A fault of the whole cache is in `outage`.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{Cluster, read};
use crate::drilled_cache::Cache;
use crate::figures::soaking;
use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::{Kind, Server};

/// Every second open connection fails in this way, repeatedly.
async fn some_fail(cache: Cache, mode: Mode) {
    let server = Server::start(cache.server());
    let proxy = Proxy::start(server.port).await;
    let drill = cache.drill(proxy.port).await;
    let tasks = drill.start_load().await;
    drill.begin_outage();
    let failing = async {
        for number in 0.. {
            proxy.set_for_some(mode, |place| place % 2 == number % 2);
            // The pace of the fault.
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    };
    let duration = Duration::from_millis(if soaking() { 5000 } else { 1200 });
    tokio::select! { () = failing => {}, () = drill.write_once(duration) => {} }
    // Dropped connections stay dropped.
    if mode != Mode::Forget {
        proxy.set(Mode::Pass);
    }
    drill.end_outage();
    let name = format!("{cache:?}, some connections: {mode:?}");
    Arc::clone(&drill).finish(&name, tasks).await;
}

/// The master becomes a replica, and its replica the master under the same name.
async fn failover(cache: Cache) {
    let first = Server::start(Kind::Redis);
    let second = Server::start(Kind::Redis);
    let proxy = Proxy::start(first.port).await;
    let drill = cache.drill(proxy.port).await;
    let replication = format!("REPLICAOF 127.0.0.1 {}", first.port);
    assert_eq!(second.say(&replication), "+OK");
    eventually("it is replicated", async || second.say("DBSIZE") != ":0").await;
    let tasks = drill.start_load().await;
    drill.begin_outage();
    assert_eq!(second.say("REPLICAOF NO ONE"), "+OK");
    let demotion = format!("REPLICAOF 127.0.0.1 {}", second.port);
    assert_eq!(first.say(&demotion), "+OK");
    // The name leads to the new master a little later.
    drill.write_once(Duration::from_millis(300)).await;
    proxy.lead_to(second.port);
    drill.end_outage();
    let name = format!("{cache:?}, demoted to a replica");
    Arc::clone(&drill).finish(&name, tasks).await;
}

/// No request for longer than the server's timeout of idle connections.
async fn pause(cache: Cache) {
    let kind = cache.server();
    let server = match kind {
        Kind::Redis => Server::start_with(kind, &["--timeout", "1"]),
        Kind::Memcached => Server::start_with(kind, &["-o", "idle_timeout=1"]),
    };
    let port = server.port.to_string();
    let cluster = Cluster::start(2, &cache.environment(&port)).await;
    let token = cluster.first().new_user("ada").await;
    let path = format!(
        "/widgets/{}",
        cluster.first().new_widget(&token, "cog").await
    );
    for instance in &cluster.instances {
        eventually("it is cached", async || {
            read(instance, &path)
                .await
                .0
                .is_ok_and(|answer| answer.is_hit())
        })
        .await;
    }
    // The test is about this pause; it is no guess of a duration.
    tokio::time::sleep(Duration::from_secs(4)).await;
    for instance in &cluster.instances {
        for _ in 0..20 {
            let answer = read(instance, &path).await.0.unwrap();
            let outcome = answer.header("cache-status");
            assert!(answer.is_hit(), "{cache:?}: {outcome}");
        }
    }
}

const SLOW: Mode = Mode::Delay(Duration::from_millis(300));

drills! {
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_redis_are_dropped() = some_fail(Cache::Redis, Mode::Forget);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_redis_stall() = some_fail(Cache::Redis, Mode::Stall);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_redis_are_closed() = some_fail(Cache::Redis, Mode::Refuse);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_redis_are_cut() = some_fail(Cache::Redis, Mode::CutAnswers);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_redis_are_slow() = some_fail(Cache::Redis, SLOW);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_redis_carry_garbage() = some_fail(Cache::Redis, Mode::Garbage);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_redis_lose_single_replies() = some_fail(Cache::Redis, Mode::SwallowReplies(20));
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_memcached_are_dropped() = some_fail(Cache::Memcached, Mode::Forget);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_memcached_stall() = some_fail(Cache::Memcached, Mode::Stall);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_memcached_are_closed() = some_fail(Cache::Memcached, Mode::Refuse);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_memcached_are_cut() = some_fail(Cache::Memcached, Mode::CutAnswers);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_memcached_are_slow() = some_fail(Cache::Memcached, SLOW);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_memcached_carry_garbage() = some_fail(Cache::Memcached, Mode::Garbage);
    async fn c57_nothing_fails_and_nothing_is_stale_when_some_connections_to_memcached_lose_single_replies() = some_fail(Cache::Memcached, Mode::SwallowReplies(20));
    async fn c57_nothing_fails_and_nothing_is_stale_with_near_caches_when_some_connections_are_dropped() = some_fail(Cache::Near, Mode::Forget);
    async fn c57_nothing_fails_and_nothing_is_stale_with_near_caches_when_some_connections_stall() = some_fail(Cache::Near, Mode::Stall);
    async fn c57_nothing_fails_and_nothing_is_stale_with_near_caches_when_some_connections_are_cut() = some_fail(Cache::Near, Mode::CutAnswers);
    async fn c57_nothing_fails_and_nothing_is_stale_when_redis_is_demoted() = failover(Cache::Redis);
    async fn c57_nothing_fails_and_nothing_is_stale_with_near_caches_when_redis_is_demoted() = failover(Cache::Near);
    async fn c57_after_a_pause_in_which_redis_closes_idle_connections_reads_are_hits() = pause(Cache::Redis);
    async fn c57_after_a_pause_in_which_memcached_closes_idle_connections_reads_are_hits() = pause(Cache::Memcached);
    async fn c57_after_a_pause_in_which_redis_closes_idle_connections_near_caches_have_hits() = pause(Cache::Near);
}
