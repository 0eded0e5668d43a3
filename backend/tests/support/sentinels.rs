//! A Redis with a replica and three Sentinels, for failovers.
//!
//! Come here for a fault of a topology with Sentinels. The replica replicates through a proxy, so that it can lack what the
//! master has acknowledged.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use redis::{FromRedisValue, RedisResult};

use super::proxy::Proxy;
use super::server::{Kind, Server, free_port, redis_server};
use super::{eventually, unique};

/// The name of the master.
pub const MASTER: &str = "main";
const SENTINELS: usize = 3;
/// The time without an answer after which a Sentinel takes the master for dead, in milliseconds.
const DOWN_AFTER: u64 = 1000;

/// A master, its replica and three Sentinels, ended with this value.
#[derive(Debug)]
pub struct Replicated {
    /// The first one is the master at the beginning, the second one its replica.
    pub servers: [Server; 2],
    /// The line from the replica to the master.
    pub line: Proxy,
    pub sentinels: Vec<Sentinel>,
}

impl Replicated {
    pub async fn start() -> Self {
        let at_once = ["--repl-diskless-sync-delay", "0"];
        let servers = [(); 2].map(|()| Server::start_with(Kind::Redis, &at_once));
        let line = Proxy::start(servers[0].port).await;
        let replicate = format!("REPLICAOF 127.0.0.1 {}", line.port);
        assert_eq!(servers[1].say(&replicate), "+OK");
        is_replica(&servers[1]).await;
        let ports = [(); SENTINELS].map(|()| free_port());
        let replica = format!(
            "sentinel known-replica {MASTER} 127.0.0.1 {}",
            servers[1].port
        );
        let sentinels = (0..SENTINELS).map(|own| {
            let others = (0..SENTINELS).filter(|other| *other != own);
            // Otherwise they find each other within seconds.
            let known = others.map(|other| {
                let id = id(other);
                format!(
                    "sentinel known-sentinel {MASTER} 127.0.0.1 {} {id}",
                    ports[other]
                )
            });
            let mut lines: Vec<_> = known.collect();
            lines.push(format!("sentinel myid {}", id(own)));
            lines.push(replica.clone());
            Sentinel::start(ports[own], servers[0].port, 2, &lines)
        });
        let replicated = Self {
            sentinels: sentinels.collect(),
            servers,
            line,
        };
        for sentinel in &replicated.sentinels {
            eventually("a Sentinel can have a failover", async || {
                let said = ask(sentinel.port, &format!("SENTINEL CKQUORUM {MASTER}")).await;
                said.is_ok_and(|said: String| said.starts_with("OK 3"))
            })
            .await;
        }
        replicated
    }

    /// The value of `CACHE_REDIS_SENTINELS`.
    pub fn list(&self) -> String {
        list(self.sentinels.iter().map(|sentinel| sentinel.port))
    }

    /// Makes the server of this number the master, although the other one is available.
    pub async fn fail_over_to(&self, number: usize) {
        let command = format!("SENTINEL FAILOVER {MASTER}");
        eventually("a Sentinel begins the failover", async || {
            let said: RedisResult<String> = ask(self.sentinels[0].port, &command).await;
            said.is_ok()
        })
        .await;
        self.is_promoted(number).await;
    }

    /// Waits until a majority of the Sentinels names the server of this number.
    pub async fn is_promoted(&self, number: usize) {
        let port = self.servers[number].port.to_string();
        eventually("a majority names the new master", async || {
            let mut count = 0;
            for sentinel in &self.sentinels {
                let question = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {MASTER}");
                let named: RedisResult<Vec<String>> = ask(sentinel.port, &question).await;
                count += usize::from(named.is_ok_and(|named| named[1] == port));
            }
            2 * count > self.sentinels.len()
        })
        .await;
    }
}

/// Waits until the server replicates another one.
pub async fn is_replica(server: &Server) {
    eventually("the server is a replica", async || {
        let said: RedisResult<String> = ask(server.port, "INFO replication").await;
        said.is_ok_and(|said| said.contains("master_link_status:up"))
    })
    .await;
}

/// The id of a Sentinel.
fn id(number: usize) -> String {
    format!("{:040x}", number + 1)
}

/// Ports of this machine as a list of servers.
pub fn list(ports: impl IntoIterator<Item = u16>) -> String {
    let names = ports.into_iter().map(|port| format!("127.0.0.1:{port}"));
    names.collect::<Vec<_>>().join(",")
}

/// The answer of the server at a port to a command, on a new connection.
pub async fn ask<T: FromRedisValue>(port: u16, command: &str) -> RedisResult<T> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut words = command.split(' ');
    let mut command = redis::cmd(words.next().unwrap_or_default());
    command.arg(words.collect::<Vec<_>>());
    command.query_async(&mut connection).await
}

/// A Sentinel, killed with this value.
#[derive(Debug)]
pub struct Sentinel {
    pub port: u16,
    directory: PathBuf,
    process: Child,
}

impl Sentinel {
    /// Starts a Sentinel at this port for the master at another one. So many must agree that it is dead. `lines` are
    /// further lines of its configuration.
    pub fn start(port: u16, master: u16, quorum: usize, lines: &[String]) -> Self {
        let directory = std::env::temp_dir().join(unique("sentinel"));
        std::fs::create_dir(&directory).expect("a directory");
        let file = directory.join("sentinel.conf");
        let lines = lines.join("\n");
        let text = format!(
            "port {port}
bind 127.0.0.1
dir {}
sentinel monitor {MASTER} 127.0.0.1 {master} {quorum}
sentinel down-after-milliseconds {MASTER} {DOWN_AFTER}
sentinel failover-timeout {MASTER} 60000
{lines}
",
            directory.display()
        );
        std::fs::write(&file, text).expect("a file");
        Self {
            process: run(&file),
            port,
            directory,
        }
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(file: &Path) -> Child {
    let mut command = Command::new(redis_server());
    command.arg(file).arg("--sentinel");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
