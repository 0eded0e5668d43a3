//! A promoted replica of a Redis Cluster that lacks the last deletions (C60): what it holds is never trusted, by the instances that
//! saw the failover and by one that starts afterwards.
//!
//! Come here for a replica that is behind, without load. Failovers of a Cluster under load are in `sharded`.

use bytes::Bytes;

use crate::cluster::Cluster;
use crate::promotion::{change, hits_come_back, old_widgets};
use crate::sharded::environment;
use crate::support::eventually;
use crate::support::redis_cluster::RedisCluster;

/// So many that each master has some.
const WIDGETS: usize = 24;
/// The numbers of the master that is replaced and of its replica.
pub const MASTER: usize = 0;
pub const REPLICA: usize = 3;

/// Widgets behind instances, whose entries are on the masters.
pub struct Site {
    pub redis: RedisCluster,
    pub cluster: Cluster,
    pub token: String,
    pub widgets: Vec<i64>,
}

impl Site {
    pub async fn prepare(instances: usize) -> Self {
        let mut site = Self {
            redis: RedisCluster::start().await,
            cluster: Cluster::start(0, &[]).await,
            token: String::new(),
            widgets: Vec::new(),
        };
        for _ in 0..instances {
            site.start_instance().await;
        }
        (site.token, site.widgets) = old_widgets(&site.cluster, WIDGETS).await;
        site.has_hits(0).await;
        site
    }

    /// Waits until each widget has been a hit on an instance.
    pub async fn has_hits(&self, instance: usize) {
        for id in &self.widgets {
            let path = format!("/widgets/{id}");
            eventually("it is a hit", async || {
                let answer = self.cluster.instances[instance].get(&path).await;
                answer.expect(200).is_hit()
            })
            .await;
        }
    }

    async fn start_instance(&mut self) {
        let nodes = self.redis.list();
        self.start_instance_with(&nodes).await;
    }

    /// Starts an instance that asks these nodes.
    pub async fn start_instance_with(&mut self, nodes: &str) {
        let mut environment = environment(nodes);
        environment.push(("LOG_LEVEL", "error,backend::startup=info"));
        self.cluster.add(&environment).await;
    }

    /// What the master holds now, with entries from before the change.
    async fn held(&self) -> Vec<(String, Bytes)> {
        let held = self.redis.values(MASTER, &self.cluster.namespace).await;
        let is_old = |(key, value): &&(String, Bytes)| {
            key.contains(":widget:") && value.windows(5).any(|part| part == b"\"old\"")
        };
        assert!(held.iter().filter(is_old).count() > 0, "{held:?}");
        held
    }

    /// The master dies, and its replica has only what the master held earlier.
    async fn promote_with(&mut self, held: &[(String, Bytes)]) {
        self.redis.nodes[MASTER].kill();
        self.redis.is_promoted(REPLICA).await;
        self.redis.put_back(REPLICA, held).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c60_a_promoted_replica_of_a_cluster_that_lacks_the_last_deletions_is_never_trusted() {
    let mut site = Site::prepare(2).await;
    let held = site.held().await;
    change(&site.cluster, &site.token, &site.widgets).await;
    site.promote_with(&held).await;
    hits_come_back(&site.cluster, &site.widgets).await;
}

/// The records that the replica has list no instance that could still deliver: the first one has left, and the second one, which made
/// the changes, is not in them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c60_a_process_that_starts_after_the_failover_of_a_cluster_trusts_nothing_from_before() {
    let mut site = Site::prepare(1).await;
    site.cluster.instances[0].signal("TERM");
    site.cluster.instances[0].wait().await;
    let held = site.held().await;
    site.cluster.instances.clear();
    site.start_instance().await;
    change(&site.cluster, &site.token, &site.widgets).await;
    site.cluster.instances[0].signal("KILL");
    site.cluster.instances[0].wait().await;
    site.cluster.instances.clear();
    site.promote_with(&held).await;
    site.start_instance().await;
    hits_come_back(&site.cluster, &site.widgets).await;
}
