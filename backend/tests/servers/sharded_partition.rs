//! An instance that does not reach the nodes of `CACHE_REDIS_NODES`, while it reaches a master of a Redis Cluster that has been replaced
//! (C60): it serves nothing from there, and a deletion that it delivers there is not enough.
//!
//! Come here for an instance that is cut off from a Cluster, without load. The same under load is in `sharded`.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::promotion::hits_come_back;
use crate::sharded_promotion::{MASTER, REPLICA, Site};
use crate::support::proxy::{Mode, Proxy};
use crate::support::sentinels::list;

/// Longer than two graces: the time after which all instances know of a server that one of them does not reach.
const LONG: Duration = Duration::from_secs(4);

/// A site with a second instance, which asks the nodes through these lines.
async fn with_lines() -> (Site, Vec<Proxy>) {
    let mut site = Site::prepare(1).await;
    let mut lines = Vec::new();
    for master in &site.redis.nodes[..REPLICA] {
        lines.push(Proxy::start(master.port).await);
    }
    let nodes = list(lines.iter().map(|line| line.port));
    site.start_instance_with(&nodes).await;
    site.has_hits(1).await;
    (site, lines)
}

/// The lines are cut, and the replica takes the place of the master, which goes on. The first instance has hits again.
async fn replace_unseen(site: &Site, lines: &[Proxy]) {
    for line in lines {
        line.set(Mode::Stall);
    }
    site.redis.replace_behind(MASTER, REPLICA).await;
    site.has_hits(0).await;
}

/// Gives every widget a name through one of the instances. The other one, which is asked at once, answers with it.
async fn rename(site: &Site, writer: usize, name: &str) {
    let instances = &site.cluster.instances;
    for id in &site.widgets {
        let path = format!("/widgets/{id}");
        let written = instances[writer].patch(&site.token, &path, json!({"name": name}));
        written.await.expect(200);
        let answer = instances[1 - writer].get(&path).await.expect(200);
        assert_eq!(answer.json()["name"], name, "{answer:?}");
    }
}

async fn partition(writer: usize) {
    let (site, lines) = with_lines().await;
    replace_unseen(&site, &lines).await;
    let began = Instant::now();
    for round in 0.. {
        rename(&site, writer, &format!("round {round}")).await;
        if began.elapsed() > LONG {
            break;
        }
    }
    rename(&site, writer, "new").await;
    for line in &lines {
        line.set(Mode::Pass);
    }
    hits_come_back(&site.cluster, &site.widgets).await;
}

drills! {
    async fn c60_an_instance_that_reaches_a_replaced_master_alone_serves_nothing_from_it() = partition(0);
    async fn c60_a_deletion_that_reaches_a_replaced_master_alone_is_delivered_to_its_successor_too() = partition(1);
}
