//! The outage drill (C43): faults of a cache server under load, on Redis and Memcached.
//!
//! Come here for a new fault. A fault of some of the connections is in `some_connections`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::drilled_cache::Cache;
use crate::figures::soaking;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::{Kind, Server};

/// A fault of the cache server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Connections are closed as soon as they are open.
    Refused,
    /// The process is killed, and started again empty.
    Killed,
    /// The process is killed and starts again at once, with an old snapshot.
    RestoredFromOldSnapshot,
    /// The process is stopped for a while, then executes the commands that arrived meanwhile.
    Stopped,
    /// Connections end in the middle of an answer.
    Cut,
    /// The server refuses to store more.
    Full,
    /// Every answer takes longer than the deadline.
    Slow,
    /// The answers follow no protocol.
    Garbage,
    /// Each connection is closed after 50 ms.
    ConnectionsKilled,
    /// The network drops the packets of the open connections; new connections work.
    Dropped,
}

impl Fault {
    /// The mode of the proxy; `None` for a fault of the server itself.
    fn mode(self) -> Option<Mode> {
        match self {
            Self::Refused => Some(Mode::Refuse),
            Self::Cut => Some(Mode::CutAnswers),
            Self::Slow => Some(Mode::Delay(Duration::from_millis(300))),
            Self::Garbage => Some(Mode::Garbage),
            Self::ConnectionsKilled => Some(Mode::Pass),
            Self::Dropped => Some(Mode::Forget),
            Self::Killed | Self::RestoredFromOldSnapshot | Self::Stopped | Self::Full => None,
        }
    }

    fn duration(self) -> Duration {
        Duration::from_millis(match self {
            Self::RestoredFromOldSnapshot => 200,
            _ if soaking() => 5000,
            _ => 1200,
        })
    }
}

async fn drill(cache: Cache, fault: Fault) {
    let kind = cache.server();
    let mut server = match (kind, fault) {
        // No eviction.
        (Kind::Memcached, Fault::Full) => Server::start_with(kind, &["-m", "4", "-M"]),
        _ => Server::start(kind),
    };
    let proxy = Proxy::start(server.port).await;
    // A fault of the server itself needs no proxy.
    let port = if fault.mode().is_some() {
        proxy.port
    } else {
        server.port
    };
    let drill = cache.drill(port).await;
    let tasks = drill.start_load().await;

    drill.begin_outage();
    let duration = fault.duration();
    match fault {
        Fault::Killed => {
            server.kill();
            drill.write_once(duration).await;
            server.restart();
        }
        Fault::RestoredFromOldSnapshot => {
            assert_eq!(server.say("SAVE"), "+OK");
            drill.write_once(duration).await;
            server.restart();
        }
        Fault::Stopped => {
            server.signal("STOP");
            drill.write_once(duration).await;
            server.signal("CONT");
        }
        Fault::Full => {
            fill_up(&server);
            drill.write_once(duration).await;
            make_room(&server);
        }
        Fault::ConnectionsKilled => {
            let killing = async {
                loop {
                    proxy.kill_connections();
                    // The pace of the fault.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::select! { () = killing => {}, () = drill.write_once(duration) => {} }
        }
        Fault::Dropped => {
            proxy.set(Mode::Forget);
            drill.write_once(Duration::from_millis(300)).await;
            proxy.set(Mode::Pass);
        }
        Fault::Refused | Fault::Cut | Fault::Slow | Fault::Garbage => {
            proxy.set(fault.mode().expect("a mode"));
            drill.write_once(duration).await;
            proxy.set(Mode::Pass);
        }
    }
    drill.end_outage();
    let name = format!("{cache:?} {fault:?}");
    Arc::clone(&drill).finish(&name, tasks).await;
}

/// Fills the server, so that no further entry fits.
fn fill_up(server: &Server) {
    match server.kind {
        Kind::Redis => assert_eq!(server.say("CONFIG SET maxmemory 1"), "+OK"),
        Kind::Memcached => {
            // Values of the sizes of entries: the server has separate memory for each size. Claims are
            // smaller and still fit: no request may wait for their holders.
            for size in [250, 330, 420, 520, 650] {
                let value = "x".repeat(size);
                let mut number = 0;
                loop {
                    number += 1;
                    let mut sets = String::new();
                    for part in 0..1000 {
                        let _ = write!(
                            sets,
                            "set filler_{size}_{number}_{part} 0 0 {size} noreply\r\n{value}\r\n"
                        );
                    }
                    let _ = write!(sets, "set filler_{size}_{number} 0 0 {size}\r\n{value}");
                    if server.say(&sets) != "STORED" {
                        break;
                    }
                }
            }
        }
    }
}

fn make_room(server: &Server) {
    match server.kind {
        Kind::Redis => assert_eq!(server.say("CONFIG SET maxmemory 0"), "+OK"),
        Kind::Memcached => assert_eq!(server.say("flush_all"), "OK"),
    }
}

drills! {
    async fn c43_nothing_fails_and_nothing_is_stale_when_redis_refuses_connections() = drill(Cache::Redis, Fault::Refused);
    async fn c43_nothing_fails_and_nothing_is_stale_when_redis_is_killed() = drill(Cache::Redis, Fault::Killed);
    async fn c43_nothing_fails_and_nothing_is_stale_when_redis_is_restored_from_an_old_snapshot() = drill(Cache::Redis, Fault::RestoredFromOldSnapshot);
    async fn c43_nothing_fails_and_nothing_is_stale_when_redis_is_stopped() = drill(Cache::Redis, Fault::Stopped);
    async fn c43_nothing_fails_and_nothing_is_stale_when_redis_is_cut_in_the_middle_of_an_answer() = drill(Cache::Redis, Fault::Cut);
    async fn c43_nothing_fails_and_nothing_is_stale_when_redis_is_full() = drill(Cache::Redis, Fault::Full);
    async fn c43_nothing_fails_and_nothing_is_stale_when_redis_is_slow() = drill(Cache::Redis, Fault::Slow);
    async fn c43_nothing_fails_and_nothing_is_stale_when_redis_sends_garbage() = drill(Cache::Redis, Fault::Garbage);
    async fn c43_nothing_fails_and_nothing_is_stale_when_connections_to_redis_are_killed() = drill(Cache::Redis, Fault::ConnectionsKilled);
    async fn c43_nothing_fails_and_nothing_is_stale_when_connections_to_redis_are_dropped() = drill(Cache::Redis, Fault::Dropped);
    async fn c43_nothing_fails_and_nothing_is_stale_with_near_caches_when_redis_is_killed() = drill(Cache::Near, Fault::Killed);
    async fn c43_nothing_fails_and_nothing_is_stale_with_near_caches_when_redis_is_restored_from_an_old_snapshot() = drill(Cache::Near, Fault::RestoredFromOldSnapshot);
    async fn c43_nothing_fails_and_nothing_is_stale_with_near_caches_when_redis_is_stopped() = drill(Cache::Near, Fault::Stopped);
    async fn c43_nothing_fails_and_nothing_is_stale_with_near_caches_when_redis_is_slow() = drill(Cache::Near, Fault::Slow);
    async fn c43_nothing_fails_and_nothing_is_stale_with_near_caches_when_connections_are_killed() = drill(Cache::Near, Fault::ConnectionsKilled);
    async fn c43_nothing_fails_and_nothing_is_stale_with_near_caches_when_connections_are_dropped() = drill(Cache::Near, Fault::Dropped);
    async fn c43_nothing_fails_and_nothing_is_stale_when_connections_to_memcached_are_dropped() = drill(Cache::Memcached, Fault::Dropped);
    async fn c43_nothing_fails_and_nothing_is_stale_when_memcached_refuses_connections() = drill(Cache::Memcached, Fault::Refused);
    async fn c43_nothing_fails_and_nothing_is_stale_when_memcached_is_killed() = drill(Cache::Memcached, Fault::Killed);
    async fn c43_nothing_fails_and_nothing_is_stale_when_memcached_is_stopped() = drill(Cache::Memcached, Fault::Stopped);
    async fn c43_nothing_fails_and_nothing_is_stale_when_memcached_is_cut_in_the_middle_of_an_answer() = drill(Cache::Memcached, Fault::Cut);
    async fn c43_nothing_fails_and_nothing_is_stale_when_memcached_is_full() = drill(Cache::Memcached, Fault::Full);
    async fn c43_nothing_fails_and_nothing_is_stale_when_memcached_is_slow() = drill(Cache::Memcached, Fault::Slow);
    async fn c43_nothing_fails_and_nothing_is_stale_when_memcached_sends_garbage() = drill(Cache::Memcached, Fault::Garbage);
    async fn c43_nothing_fails_and_nothing_is_stale_when_connections_to_memcached_are_killed() = drill(Cache::Memcached, Fault::ConnectionsKilled);
}
