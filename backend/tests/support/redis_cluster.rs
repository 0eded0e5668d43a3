//! A Redis Cluster: three masters, each with a replica.
//!
//! Come here for a fault of a Cluster's nodes, or to move slots.

use bytes::Bytes;
use redis::{FromRedisValue, RedisResult};

use super::certificates::Certificates;
use super::eventually;
use super::sentinels::{ask, is_replica, list};
use super::server::{Kind, Server, free_port};

const MASTERS: usize = 3;
/// The first slot of each master, as `redis-cli --cluster create` divides them, and the number of all.
const FIRST: [u16; MASTERS + 1] = [0, 5461, 10_923, 16_384];
/// The time without an answer after which a master counts as dead, in milliseconds.
const NODE_TIMEOUT: &str = "1500";

/// A Cluster, ended with this value.
#[derive(Debug)]
pub struct RedisCluster {
    /// At first the masters, in the order of their slots, and then the replica of each. Their order stays after a failover.
    pub nodes: Vec<Server>,
    ids: Vec<String>,
    /// The port with TLS of each node, if it has one.
    tls_ports: Vec<u16>,
}

impl RedisCluster {
    /// Starts three masters with a replica each.
    pub async fn start() -> Self {
        Self::of(2 * MASTERS, None).await
    }

    /// Starts three masters without replicas, whose port of `nodes` is for the test alone. All others speak TLS.
    pub async fn with_tls(certificates: &Certificates) -> Self {
        Self::of(MASTERS, Some(certificates)).await
    }

    async fn of(count: usize, certificates: Option<&Certificates>) -> Self {
        let mut cluster = Self {
            nodes: Vec::new(),
            ids: Vec::new(),
            tls_ports: Vec::new(),
        };
        let mut addresses = Vec::new();
        for _ in 0..count {
            let bus = free_port();
            let mut arguments = format!(
                "--cluster-enabled yes --cluster-port {bus} --cluster-node-timeout {NODE_TIMEOUT} --repl-diskless-sync-delay 0"
            );
            if let Some(certificates) = certificates {
                let port = free_port();
                arguments += " --tls-cluster yes ";
                arguments += &certificates.of_redis(port);
                cluster.tls_ports.push(port);
            }
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let node = Server::start_with(Kind::Redis, &arguments);
            let port = cluster.tls_ports.last().copied().unwrap_or(node.port);
            addresses.push(format!("127.0.0.1 {port} {bus}"));
            let id = ask(node.port, "CLUSTER MYID").await;
            cluster.ids.push(id.expect("an id"));
            cluster.nodes.push(node);
        }
        cluster.join(&addresses).await;
        cluster
    }

    /// Makes the nodes one Cluster. Each is given by its host, its port and that of the bus.
    async fn join(&self, addresses: &[String]) {
        for number in 0..MASTERS {
            let slots = (FIRST[number]..FIRST[number + 1]).map(|slot| slot.to_string());
            let slots = slots.collect::<Vec<_>>().join(" ");
            // Different from the beginning, so that no node changes its own.
            let epoch = format!("SET-CONFIG-EPOCH {}", number + 1);
            self.order(number, &epoch).await;
            self.order(number, &format!("ADDSLOTS {slots}")).await;
        }
        for address in &addresses[1..] {
            self.order(0, &format!("MEET {address}")).await;
        }
        let all = 0..self.nodes.len();
        for number in all.clone() {
            eventually("each node knows all others", async || {
                let map = self.map_of(number).await;
                let are_known = self.ids.iter().all(|id| map.contains(id.as_str()));
                are_known && !map.contains("handshake")
            })
            .await;
        }
        for replica in MASTERS..self.nodes.len() {
            let master = &self.ids[replica - MASTERS];
            self.order(replica, &format!("REPLICATE {master}")).await;
        }
        for number in all {
            eventually("the Cluster is available", async || {
                let said: RedisResult<String> = self.ask(number, "INFO").await;
                let replicas = self.map_of(number).await.matches("slave ").count();
                said.is_ok_and(|said| said.contains("cluster_state:ok"))
                    && replicas == self.nodes.len() - MASTERS
            })
            .await;
        }
        for replica in &self.nodes[MASTERS..] {
            is_replica(replica).await;
        }
    }

    async fn ask<T: FromRedisValue>(&self, number: usize, command: &str) -> RedisResult<T> {
        ask(self.nodes[number].port, &format!("CLUSTER {command}")).await
    }

    /// Has a node carry out a command, which must succeed.
    async fn order(&self, number: usize, command: &str) {
        let said: RedisResult<String> = self.ask(number, command).await;
        assert_eq!(said.as_deref(), Ok("OK"), "{command}");
    }

    /// What a node knows of all nodes.
    async fn map_of(&self, number: usize) -> String {
        self.ask(number, "NODES").await.unwrap_or_default()
    }

    /// The value of `CACHE_REDIS_NODES`: those that are the masters at first, with TLS if they speak it.
    pub fn list(&self) -> String {
        if self.tls_ports.is_empty() {
            list(self.nodes[..MASTERS].iter().map(|node| node.port))
        } else {
            list(self.tls_ports.iter().copied())
        }
    }

    /// Waits until the other masters name the node of this number as an owner of slots.
    pub async fn is_promoted(&self, number: usize) {
        let others = (0..MASTERS).filter(|other| *other != number % MASTERS);
        for other in others {
            eventually("a replica is promoted", async || {
                let map = self.map_of(other).await;
                let mut lines = map.lines().map(|line| line.split(' ').collect::<Vec<_>>());
                lines.any(|line| line[0] == self.ids[number] && line.len() > 8)
            })
            .await;
        }
    }

    /// Lets a replica take the place of its master, which does not learn of it for a minute: both answer as masters of the same slots.
    pub async fn replace_behind(&self, master: usize, replica: usize) {
        let forget = format!("FORGET {}", self.ids[replica]);
        self.order(master, &forget).await;
        self.order(replica, "FAILOVER TAKEOVER").await;
        self.is_promoted(replica).await;
    }

    /// Moves slots of the master of one number to another one, as `redis-cli --cluster reshard` does, and waits for `between` twice in
    /// each: before and after its keys move.
    pub async fn move_slots(&self, from: usize, to: usize, slots: &[u16], between: impl AsyncFn()) {
        let target = self.nodes[to].port;
        for slot in slots {
            let importing = format!("SETSLOT {slot} IMPORTING {}", self.ids[from]);
            self.order(to, &importing).await;
            let migrating = format!("SETSLOT {slot} MIGRATING {}", self.ids[to]);
            self.order(from, &migrating).await;
            between().await;
            let keys: RedisResult<Vec<String>> =
                self.ask(from, &format!("GETKEYSINSLOT {slot} 1000")).await;
            for key in keys.expect("keys") {
                let migrate = format!("MIGRATE 127.0.0.1 {target} {key} 0 5000");
                let said: RedisResult<String> = ask(self.nodes[from].port, &migrate).await;
                // The key may have been deleted meanwhile.
                assert!(matches!(said.as_deref(), Ok("OK" | "NOKEY")), "{said:?}");
            }
            between().await;
            let owned = format!("SETSLOT {slot} NODE {}", self.ids[to]);
            // The new owner is the first one to know, or the slot would be nobody's for a moment.
            for number in [to, from, MASTERS - from - to] {
                self.order(number, &owned).await;
            }
        }
    }

    /// The slots of the keys of a namespace on a node.
    pub async fn slots_in_use(&self, number: usize, namespace: &str) -> Vec<u16> {
        let mut slots = Vec::new();
        for (key, _) in self.values(number, namespace).await {
            let slot = self.ask(number, &format!("KEYSLOT {key}")).await;
            slots.push(slot.expect("a slot"));
        }
        slots.sort_unstable();
        slots.dedup();
        slots
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
