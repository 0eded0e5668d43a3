//! Redis Cluster (C60): masters that die, freeze and return, and slots that move. Nothing is stale, and the keys of the other
//! masters are hits all the while.
//!
//! Come here for another fault of a Cluster. The load is in `storm`, single operations are in `sharded_operations`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::figures::soaking;
use crate::storm::{INSTANCES, Storm};
use crate::support::redis_cluster::RedisCluster;

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
    let mut back = [Duration::ZERO; INSTANCES];
    for (instance, back) in back.iter_mut().enumerate() {
        storm.every_widget_is_a_hit(instance).await;
        *back = since.elapsed();
    }
    back
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c60_nothing_is_stale_in_a_storm_on_a_cluster_whose_slots_move() {
    let cluster = Arc::new(RedisCluster::start().await);
    let nodes = cluster.list();
    let own = environment(&nodes);
    let (storm, tasks) = Storm::begin([&own, &own]).await;
    let turns = if soaking() { 10 } else { 1 };
    for turn in 0..turns {
        // There and back again: a slot that returns has old values of nobody.
        for (from, to) in [(0, 1), (1, 0)] {
            let moving = Arc::clone(&cluster);
            let moved = tokio::task::spawn_blocking(move || moving.reshard(from, to, 1500));
            storm.has_hits().await;
            moved.await.expect("no panic");
            let back = all_return(&storm, Instant::now()).await;
            println!("turn {turn}: all keys are hits {back:.1?} after the migration");
        }
    }
    storm
        .end(
            tasks,
            "storm on a Cluster with migrations",
            [Duration::ZERO; INSTANCES],
        )
        .await;
}
