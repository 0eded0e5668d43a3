//! Redis Cluster (C60): masters that die, freeze and return, and slots that move. Nothing is stale, and the keys of the other
//! masters are hits all the while.
//!
//! Come here for another fault of a Cluster. The load is in `storm`, single operations are in `sharded_operations`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinSet;

use crate::figures::soaking;
use crate::storm::{INSTANCES, Storm};
use crate::support::proxy::{Mode, Proxy};
use crate::support::redis_cluster::RedisCluster;
use crate::support::sentinels::list;

/// The environment of an instance with these nodes.
pub fn environment(nodes: &str) -> Vec<(&str, &str)> {
    vec![
        ("CACHE_REDIS_MODE", "cluster"),
        ("CACHE_REDIS_PORT", ""),
        ("CACHE_REDIS_NODES", nodes),
    ]
}

/// Waits until each widget is a hit on each instance. Returns the time since then.
async fn all_return(storm: &Arc<Storm>, since: Instant) -> [Duration; INSTANCES] {
    let back = [0, 1].map(|instance| async move {
        storm.every_widget_is_a_hit(instance).await;
        since.elapsed()
    });
    let [first, second] = back;
    let (first, second) = tokio::join!(first, second);
    [first, second]
}

/// What happens to a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Killed,
    /// It goes on as a master when its replica is promoted.
    Frozen,
}

/// A master has a fault. Its replica has missed the last deletions when it is promoted.
async fn failover(cluster: &mut RedisCluster, storm: &Arc<Storm>, master: usize, fault: Fault) {
    let replica = master + cluster.nodes.len() / 2;
    let before = cluster.entries(master, &storm.cluster.namespace).await;
    assert!(!before.is_empty(), "the master has no keys");
    storm.has_written(50).await;
    match fault {
        Fault::Killed => cluster.nodes[master].kill(),
        Fault::Frozen => cluster.nodes[master].signal("STOP"),
    }
    // The keys of the others.
    storm.has_hits().await;
    cluster.is_promoted(replica).await;
    let switched = Instant::now();
    cluster.put_back(replica, &before).await;
    if fault == Fault::Frozen {
        cluster.nodes[master].signal("CONT");
    }
    let back = all_return(storm, switched).await;
    println!("the master is {fault:?}: all keys are hits {back:.1?} after the switch");
    if fault == Fault::Killed {
        cluster.nodes[master].restart();
    }
    crate::support::sentinels::is_replica(&cluster.nodes[master]).await;
    storm.has_hits().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c60_nothing_is_stale_in_a_storm_on_a_cluster_whose_masters_die_and_freeze() {
    let mut cluster = RedisCluster::start().await;
    let nodes = cluster.list();
    let own = environment(&nodes);
    let (storm, tasks) = Storm::begin([&own, &own]).await;
    failover(&mut cluster, &storm, 0, Fault::Killed).await;
    failover(&mut cluster, &storm, 1, Fault::Frozen).await;
    storm
        .end(
            tasks,
            "storm on a Cluster with failovers",
            [Duration::ZERO; INSTANCES],
        )
        .await;
}

/// The replica takes the place of a master that does not learn of it. The second instance reaches that master, and not the nodes that
/// know better.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c60_nothing_is_stale_in_a_storm_on_a_cluster_of_which_an_instance_reaches_an_old_master_alone()
 {
    let cluster = RedisCluster::start().await;
    let (lines, storm, tasks) = storm_by_lines(&cluster).await;
    storm.has_written(50).await;
    set(&lines, Mode::Stall);
    cluster.replace_behind(0, 3).await;
    storm.every_widget_is_a_hit(0).await;
    // Those of the second instance are delivered to the old master alone, if at all.
    storm.has_written(100).await;
    set(&lines, Mode::Pass);
    let back = all_return(&storm, Instant::now()).await;
    storm
        .end(tasks, "storm on a Cluster, an instance is cut off", back)
        .await;
}

/// The slots of entries, of their groups' records and of the cache's own move there and back again: a slot that returns has old values of
/// nobody. On the way back the second instance does not hear of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c60_nothing_is_stale_in_a_storm_on_a_cluster_whose_slots_move() {
    let cluster = RedisCluster::start().await;
    let (lines, storm, tasks) = storm_by_lines(&cluster).await;
    let turns = if soaking() { 10 } else { 1 };
    for turn in 0..turns {
        let slots = cluster.slots_in_use(0, &storm.cluster.namespace).await;
        for (from, to, unheard) in [(0, 1, false), (1, 0, true)] {
            if unheard {
                set(&lines, Mode::Stall);
            }
            let moved = cluster.move_slots(from, to, &slots, async || storm.has_written(5).await);
            if unheard {
                moved.await;
            } else {
                // The keys of the third master.
                tokio::join!(moved, storm.has_hits());
            }
            set(&lines, Mode::Pass);
            let back = all_return(&storm, Instant::now()).await;
            let count = slots.len();
            println!("turn {turn}: all keys are hits {back:.1?} after {count} slots moved");
        }
    }
    let name = "storm on a Cluster with migrations";
    storm.end(tasks, name, [Duration::ZERO; INSTANCES]).await;
}

/// A storm whose second instance reaches the listed masters by proxies alone: these lines.
async fn storm_by_lines(cluster: &RedisCluster) -> (Vec<Proxy>, Arc<Storm>, JoinSet<()>) {
    let masters = &cluster.nodes[..cluster.nodes.len() / 2];
    let lines = join_all(masters.iter().map(|master| Proxy::start(master.port))).await;
    let (direct, by_lines) = (cluster.list(), list(lines.iter().map(|line| line.port)));
    let environments = [environment(&direct), environment(&by_lines)];
    let (storm, tasks) = Storm::begin([&environments[0], &environments[1]]).await;
    (lines, storm, tasks)
}

fn set(lines: &[Proxy], mode: Mode) {
    for line in lines {
        line.set(mode);
    }
}
