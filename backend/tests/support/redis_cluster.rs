//! A Redis Cluster: three masters, each with a replica.
//!
//! Come here for a fault of a Cluster's nodes, or to move slots.

use std::process::Command;

use bytes::Bytes;
use redis::RedisResult;

use super::eventually;
use super::sentinels::{ask, list};
use super::server::{Kind, Server, free_port};

const MASTERS: usize = 3;
/// The time without an answer after which a master counts as dead, in milliseconds.
const NODE_TIMEOUT: &str = "1500";

/// A Cluster, ended with this value.
#[derive(Debug)]
pub struct RedisCluster {
    /// At first the masters, in the order of their slots, and then the replica of each. Their order is that of `nodes` after
    /// a failover too.
    pub nodes: Vec<Server>,
    ids: Vec<String>,
}

impl RedisCluster {
    /// Starts three masters with a replica each.
    pub async fn start() -> Self {
        let mut addresses = Vec::new();
        let mut nodes = Vec::new();
        for _ in 0..2 * MASTERS {
            let bus = free_port();
            let bus_text = bus.to_string();
            let node = Server::start_with(
                Kind::Redis,
                &[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-node-timeout",
                    NODE_TIMEOUT,
                    "--cluster-port",
                    &bus_text,
                    "--repl-diskless-sync-delay",
                    "0",
                ],
            );
            addresses.push(format!("127.0.0.1:{}@{bus}", node.port));
            nodes.push(node);
        }
        let mut arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
        arguments.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        redis_cli("create", &arguments);
        let mut cluster = Self {
            nodes,
            ids: Vec::new(),
        };
        for node in &cluster.nodes {
            let id = ask(node.port, "CLUSTER MYID").await;
            cluster.ids.push(id.expect("an id"));
        }
        // redis-cli decides which node replicates which.
        let replicas = cluster.in_order_of_slots().await;
        let (mut nodes, mut ids) = (Vec::new(), Vec::new());
        for number in replicas {
            ids.push(cluster.ids[number].clone());
            nodes.push(number);
        }
        let mut all: Vec<_> = cluster.nodes.into_iter().map(Some).collect();
        let nodes = nodes.into_iter().filter_map(|number| all[number].take());
        let cluster = Self {
            nodes: nodes.collect(),
            ids,
        };
        for node in &cluster.nodes {
            eventually("the Cluster is available", async || {
                let said: RedisResult<String> = ask(node.port, "CLUSTER INFO").await;
                said.is_ok_and(|said| said.contains("cluster_state:ok"))
            })
            .await;
        }
        for replica in &cluster.nodes[MASTERS..] {
            super::sentinels::is_replica(replica).await;
        }
        cluster
    }

    /// The numbers of the masters by their slots, and of the replica of each.
    async fn in_order_of_slots(&self) -> Vec<usize> {
        let ordered = async || {
            let said: RedisResult<String> = ask(self.nodes[0].port, "CLUSTER NODES").await;
            self.ordered(&said.unwrap_or_default())
        };
        eventually("every replica is known", async || {
            ordered().await.len() == self.nodes.len()
        })
        .await;
        ordered().await
    }

    fn ordered(&self, said: &str) -> Vec<usize> {
        let number = |id: &str| self.ids.iter().position(|other| other == id);
        let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split(' ').collect()).collect();
        let mut masters: Vec<(u16, &str)> = Vec::new();
        for line in lines.iter().filter(|line| line.len() > 8) {
            let first = line[8].split('-').next().and_then(|slot| slot.parse().ok());
            masters.extend(first.map(|slot| (slot, line[0])));
        }
        masters.sort_unstable();
        let replica = |master: &str| {
            let line = lines
                .iter()
                .find(|line| line.len() > 3 && line[3] == master)?;
            number(line[0])
        };
        let of_masters = masters.iter().filter_map(|(_, id)| number(id));
        let of_replicas = masters.iter().filter_map(|(_, id)| replica(id));
        of_masters.chain(of_replicas).collect()
    }

    /// The value of `CACHE_REDIS_NODES`: those that are the masters at first.
    pub fn list(&self) -> String {
        list(self.nodes[..MASTERS].iter().map(|node| node.port))
    }

    /// Waits until the other masters name the node of this number as an owner of slots.
    pub async fn is_promoted(&self, number: usize) {
        let others = (0..MASTERS).filter(|other| *other != number % MASTERS);
        for other in others {
            eventually("a replica is promoted", async || {
                let nodes: RedisResult<String> = ask(self.nodes[other].port, "CLUSTER NODES").await;
                let nodes = nodes.unwrap_or_default();
                let mut lines = nodes
                    .lines()
                    .map(|line| line.split(' ').collect::<Vec<_>>());
                lines.any(|line| line[0] == self.ids[number] && line.len() > 8)
            })
            .await;
        }
    }

    /// Moves so many slots of the node of one number to another one.
    pub fn reshard(&self, from: usize, to: usize, slots: usize) {
        let address = format!("127.0.0.1:{}", self.nodes[to].port);
        let slots = slots.to_string();
        redis_cli(
            "reshard",
            &[
                &address,
                "--cluster-from",
                &self.ids[from],
                "--cluster-to",
                &self.ids[to],
                "--cluster-slots",
                &slots,
                "--cluster-yes",
            ],
        );
    }

    /// The id of a node.
    pub fn id(&self, number: usize) -> &str {
        &self.ids[number]
    }

    /// The entries of a namespace on a node.
    pub async fn entries(&self, number: usize, namespace: &str) -> Vec<(String, Bytes)> {
        let mut values = self.values(number, namespace).await;
        values.retain(|(key, _)| !key.contains('~'));
        values
    }

    /// The entries of a namespace on a node, and the cache's own records.
    pub async fn values(&self, number: usize, namespace: &str) -> Vec<(String, Bytes)> {
        let port = self.nodes[number].port;
        let pattern = format!("KEYS {namespace}:*");
        let keys: Vec<String> = ask(port, &pattern).await.unwrap_or_default();
        let mut values = Vec::new();
        for key in keys {
            let value: RedisResult<Bytes> = ask(port, &format!("GET {key}")).await;
            values.extend(value.ok().map(|value| (key, value)));
        }
        values
    }

    /// Stores values on a node, as if it had missed their deletions.
    pub async fn put_back(&self, number: usize, values: &[(String, Bytes)]) {
        let address = format!("redis://127.0.0.1:{}", self.nodes[number].port);
        let client = redis::Client::open(address).expect("an address");
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("a connection");
        for (key, value) in values {
            let mut set = redis::cmd("SET");
            set.arg(key).arg(&value[..]).arg("PX").arg(60_000);
            // A key may have moved.
            let _: RedisResult<()> = set.query_async(&mut connection).await;
        }
    }
}

/// Runs a command of `redis-cli --cluster`, which must succeed.
fn redis_cli(command: &str, arguments: &[&str]) {
    let mut program = Command::new("redis-cli");
    program.args(["--cluster", command]).args(arguments);
    let output = program.output().expect("redis-cli");
    assert!(output.status.success(), "{command}: {output:?}");
}
