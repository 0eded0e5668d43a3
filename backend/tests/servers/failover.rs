//! Failovers of Redis by Sentinels (C60): the promoted replica lacks the last deletions, the old master lives on, an instance
//! does not reach the Sentinels. Nothing is stale.
//!
//! Come here for another fault. The load is in `storm`.

use std::time::{Duration, Instant};

use crate::figures::soaking;
use crate::history::NEAR;
use crate::storm::{INSTANCES, Storm};
use crate::support::proxy::{Mode, Proxy};
use crate::support::sentinels::{MASTER, Replicated, is_replica, list};

/// The environment of an instance with these Sentinels.
pub fn environment(sentinels: &str) -> Vec<(&str, &str)> {
    vec![
        ("CACHE_REDIS_MODE", "sentinel"),
        ("CACHE_REDIS_PORT", ""),
        ("CACHE_REDIS_SENTINELS", sentinels),
        ("CACHE_REDIS_SENTINEL_MASTER", MASTER),
    ]
}

/// A fault in the middle of a storm. In all of them the promoted replica lacks the last deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The master is killed.
    Killed,
    /// The master is frozen, and goes on as a master when the other one is promoted.
    Frozen,
    /// The replica is promoted, and the old master says for some seconds that it is the master.
    Replaced,
    /// The same, and one of the instances does not reach the Sentinels while it reaches the old master.
    CutOff,
}

async fn storm(fault: Fault, near: bool) {
    let mut redis = Replicated::start().await;
    let mut lines = Vec::new();
    for sentinel in &redis.sentinels {
        lines.push(Proxy::start(sentinel.port).await);
    }
    let (direct, by_lines) = (redis.list(), list(lines.iter().map(|line| line.port)));
    let mut environments = [environment(&direct), environment(&by_lines)];
    if near {
        for environment in &mut environments {
            environment.push(NEAR);
        }
    }
    let [first, second] = &environments;
    let (storm, tasks) = Storm::begin([first, second]).await;
    redis.line.set(Mode::HoldAnswers);
    redis.line.answer_is_held().await;
    storm.has_written(50).await;
    match fault {
        Fault::Killed => redis.servers[0].kill(),
        Fault::Frozen => redis.servers[0].signal("STOP"),
        Fault::Replaced => redis.fail_over_to(1).await,
        Fault::CutOff => {
            for line in &lines {
                line.set(Mode::Stall);
            }
            redis.fail_over_to(1).await;
        }
    }
    redis.is_promoted(1).await;
    let switched = Instant::now();
    match fault {
        Fault::Killed | Fault::Replaced => {}
        Fault::Frozen => redis.servers[0].signal("CONT"),
        Fault::CutOff => {
            // The other instance uses the new master, and its writes are delivered there alone.
            storm.hits_return(0, switched).await;
            storm.has_written(100).await;
            for line in &lines {
                line.set(Mode::Pass);
            }
        }
    }
    let mut back = [Duration::ZERO; INSTANCES];
    for (instance, back) in back.iter_mut().enumerate() {
        *back = storm.hits_return(instance, switched).await;
    }
    storm.has_hits().await;
    redis.line.set(Mode::Refuse);
    if fault != Fault::Killed {
        is_replica(&redis.servers[0]).await;
        storm.has_hits().await;
    }
    if soaking() && fault != Fault::Killed {
        for turn in 0..10 {
            let (next, other) = (turn % 2, 1 - turn % 2);
            redis.fail_over_to(next).await;
            storm.has_hits().await;
            is_replica(&redis.servers[other]).await;
        }
    }
    let with_near_cache = if near { " with near caches" } else { "" };
    let name = format!("storm with Sentinels{with_near_cache}, the master is {fault:?}");
    storm.end(tasks, &name, back).await;
}

drills! {
    async fn c60_nothing_is_stale_in_a_storm_in_which_the_master_is_killed() = storm(Fault::Killed, false);
    async fn c60_nothing_is_stale_in_a_storm_in_which_the_master_is_frozen_and_returns() = storm(Fault::Frozen, false);
    async fn c60_nothing_is_stale_in_a_storm_in_which_two_servers_say_that_they_are_the_master() = storm(Fault::Replaced, false);
    async fn c60_nothing_is_stale_in_a_storm_in_which_an_instance_reaches_the_old_master_alone() = storm(Fault::CutOff, false);
    async fn c60_only_another_instances_near_cache_lags_in_a_storm_with_a_failover() = storm(Fault::Killed, true);
    async fn c60_near_caches_follow_a_master_that_two_servers_claim_to_be() = storm(Fault::Replaced, true);
}
