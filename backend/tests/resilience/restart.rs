//! Restarts (C20, C58): pending deletions of an ending process, and the trust of the next one, with real
//! processes.
//!
//! Each drill prints the time until the next process answers from the cache.
//!
//! Come here for a deployment, a kill or a freeze of one instance.

use std::time::{Duration, Instant};

use backend::infrastructure::cache::{Cache, CacheOptions};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::cluster::Cluster;
use crate::history::NEAR;
use crate::support::eventually;
use crate::support::process;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::{Kind, Server};
use crate::support::service;

const QUIET: (&str, &str) = ("LOG_LEVEL", "warn,backend::startup=info");

/// A write may wait for a lock until another process has ended.
const PATIENT: [(&str, &str); 2] = [
    ("DATABASE_LOCK_TIMEOUT", "20"),
    ("DATABASE_STATEMENT_TIMEOUT", "20"),
];

/// A widget behind instances that reach their cache server through a proxy.
struct Site {
    server: Server,
    proxy: Proxy,
    cluster: Cluster,
    token: String,
    path: String,
}

impl Site {
    async fn prepare(kind: Kind) -> Self {
        let server = Server::start(kind);
        let proxy = Proxy::start(server.port).await;
        let mut site = Self {
            cluster: Cluster::start(0, &[]).await,
            server,
            proxy,
            token: String::new(),
            path: String::new(),
        };
        site.start_instance().await;
        site.token = site.cluster.first().new_user("ada").await;
        let id = site.cluster.first().new_widget(&site.token, "old").await;
        site.path = format!("/widgets/{id}");
        site
    }

    /// Starts one more instance and returns its number.
    async fn start_instance(&mut self) -> usize {
        let port = self.proxy.port.to_string();
        let kind = self.server.kind;
        let own = [
            QUIET,
            ("CACHE_BACKEND", kind.name()),
            (kind.port_variable(), port.as_str()),
        ];
        let mut environment = [&PATIENT[..], &own].concat();
        if kind == Kind::Redis {
            environment.push(NEAR);
        }
        self.cluster.add(&environment).await;
        self.cluster.instances.len() - 1
    }

    async fn warm(&self, instance: usize, name: &str) {
        eventually("there are hits", async || self.read(instance, name).await).await;
    }

    /// Reads the widget, which must have this name, and returns whether that was a hit.
    async fn read(&self, instance: usize, name: &str) -> bool {
        let answer = self.cluster.instances[instance]
            .get(&self.path)
            .await
            .expect(200);
        assert_eq!(answer.json()["name"], name, "{answer:?}");
        answer.is_hit()
    }

    async fn rename(&self, instance: usize, name: &str) {
        let service = &self.cluster.instances[instance];
        let change = json!({"name": name});
        let answer = service.patch(&self.token, &self.path, change).await;
        answer.expect(200);
    }

    /// Waits until the instance answers from the cache. Every answer has this name.
    async fn hits_come_back(&self, instance: usize, name: &str, what: &str) {
        let began = Instant::now();
        self.warm(instance, name).await;
        let kind = self.server.kind.name();
        println!("{kind}, {what}: hits after {:.0?}", began.elapsed());
    }

    /// Whether the log of an instance has a line with this text.
    fn said(&self, instance: usize, text: &str) -> bool {
        let lines = self.cluster.instances[instance].log();
        lines.iter().any(|line| line.to_string().contains(text))
    }
}

async fn hits_survive_a_clean_restart(kind: Kind) {
    let mut site = Site::prepare(kind).await;
    site.warm(0, "old").await;
    site.cluster.instances[0].signal("TERM");
    site.cluster.instances[0].wait().await;
    let next = site.start_instance().await;
    assert!(site.read(next, "old").await, "the first read is a hit");
}

/// SIGTERM between the write that lists the instance in the cache and the reply to it.
async fn a_start_that_is_stopped_leaves_the_cache(kind: Kind) {
    let mut site = Site::prepare(kind).await;
    site.warm(0, "old").await;
    site.cluster.instances[0].signal("TERM");
    site.cluster.instances[0].wait().await;
    let record = match kind {
        Kind::Redis => format!("STRLEN {}:~generation", site.cluster.namespace),
        Kind::Memcached => format!("mg {}:~generation s", site.cluster.namespace),
    };
    let before = site.server.say(&record);
    site.proxy
        .set(Mode::DelayAnswers(Duration::from_millis(300)));
    let url = site.cluster.database.url();
    let port = site.proxy.port.to_string();
    let mut starting = service::command(&[
        ("DATABASE_URL", &url),
        ("SERVER_PORT", "0"),
        ("CACHE_NAMESPACE", &site.cluster.namespace),
        ("CACHE_OPERATION_TIMEOUT_MS", "5000"),
        ("CACHE_BACKEND", kind.name()),
        (kind.port_variable(), &port),
    ]);
    let mut starting = starting.spawn().unwrap();
    eventually("the instance is listed", async || {
        site.server.say(&record) != before
    })
    .await;
    process::signal(starting.id(), "TERM");
    assert!(process::end(&mut starting).await.success());
    site.proxy.set(Mode::Pass);
    let next = site.start_instance().await;
    assert!(site.read(next, "old").await, "the first read is a hit");
}

async fn a_pending_deletion_of_a_killed_process(kind: Kind) {
    let mut site = Site::prepare(kind).await;
    site.warm(0, "old").await;
    site.proxy.set(Mode::Refuse);
    site.rename(0, "new").await;
    site.cluster.instances[0].signal("KILL");
    site.cluster.instances[0].wait().await;
    site.proxy.set(Mode::Pass);
    let next = site.start_instance().await;
    site.hits_come_back(next, "new", "killed with a pending deletion")
        .await;
}

/// SIGTERM while the cache is unavailable. The cache is available again before the end of the shutdown timeout, so the
/// process delivers its deletions, and the next process waits for no instance.
async fn a_deletion_is_delivered_at_sigterm(kind: Kind) {
    let mut site = Site::prepare(kind).await;
    site.warm(0, "old").await;
    site.proxy.set(Mode::Refuse);
    site.rename(0, "new").await;
    site.cluster.instances[0].signal("TERM");
    // The process is stopping and cannot deliver yet.
    eventually("the first instance has stopped listening", async || {
        let service = &site.cluster.instances[0];
        let request = service.api(Method::GET, &site.path, "");
        request
            .timeout(Duration::from_secs(1))
            .send()
            .await
            .is_err()
    })
    .await;
    site.proxy.set(Mode::Pass);
    site.cluster.instances[0].wait().await;
    assert!(!site.said(0, "were not delivered"));
    let next = site.start_instance().await;
    site.hits_come_back(next, "new", "delivered at SIGTERM")
        .await;
}

/// SIGINT: two seconds until the process ends.
async fn undelivered_deletions_are_named(kind: Kind) {
    let mut site = Site::prepare(kind).await;
    site.warm(0, "old").await;
    site.proxy.set(Mode::Refuse);
    site.rename(0, "new").await;
    site.cluster.instances[0].signal("INT");
    site.cluster.instances[0].wait().await;
    assert!(
        site.said(0, "were not delivered"),
        "{:#?}",
        site.cluster.instances[0].log()
    );
    site.proxy.set(Mode::Pass);
    let next = site.start_instance().await;
    site.hits_come_back(next, "new", "ended with a pending deletion")
        .await;
}

/// The write waits for a lock while its client disconnects and SIGTERM arrives. The lock is released after the end of another
/// instance that got the signal later.
async fn a_write_without_its_client_is_finished_at_sigterm(kind: Kind) {
    let mut site = Site::prepare(kind).await;
    let idle = site.start_instance().await;
    site.warm(0, "old").await;
    let pool = site.cluster.database.pool().await;
    let mut lock = pool.begin().await.unwrap();
    let locked = sqlx::query("SELECT id FROM widgets FOR UPDATE");
    locked.execute(&mut *lock).await.unwrap();
    let service = &site.cluster.instances[0];
    let body = json!({"name": "new"}).to_string();
    let request = format!(
        "PATCH /api/v1{} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        site.path,
        site.token,
        body.len()
    );
    let mut client = TcpStream::connect(service.address()).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    site.cluster.database.until_a_statement_waits().await;
    // A reset: the server does not wait to answer the client.
    client.set_zero_linger().unwrap();
    drop(client);
    service.signal("TERM");
    // An instance without a write ends meanwhile.
    site.cluster.instances[idle].signal("TERM");
    site.cluster.instances[idle].wait().await;
    lock.commit().await.unwrap();
    site.cluster.instances[0].wait().await;
    let next = site.start_instance().await;
    site.hits_come_back(next, "new", "a write without its client")
        .await;
}

/// A write distrusts everything while an instance is frozen. After the acknowledgement the instance continues, and its
/// first answer is not from before the write.
async fn a_frozen_instance_serves_nothing_old(kind: Kind) {
    let mut site = Site::prepare(kind).await;
    let other = site.start_instance().await;
    site.warm(other, "old").await;
    let settings = CacheSettings {
        cache_backend: match kind {
            Kind::Redis => CacheBackendKind::Redis,
            Kind::Memcached => CacheBackendKind::Memcached,
        },
        cache_namespace: site.cluster.namespace.clone(),
        cache_redis_port: site.server.port,
        cache_memcached_port: site.server.port,
        ..CacheSettings::default()
    };
    let cache = Cache::connect(&CacheOptions::from(&settings), true)
        .await
        .unwrap();
    site.cluster.instances[other].signal("STOP");
    site.rename(0, "new").await;
    cache.clear().await.unwrap();
    // These requests are waiting when the instance continues with its old generation.
    let reads = (0..16).map(|_| site.read(other, "new"));
    let going_on = async {
        site.cluster.instances[other].until_requests_wait(16).await;
        site.cluster.instances[other].signal("CONT");
    };
    futures_util::join!(join_all(reads), going_on);
    site.hits_come_back(other, "new", "frozen while everything was distrusted")
        .await;
    cache.leave(Instant::now() + Duration::from_secs(5)).await;
}

drills! {
    async fn c58_hits_survive_a_clean_restart_on_redis() = hits_survive_a_clean_restart(Kind::Redis);
    async fn c58_hits_survive_a_clean_restart_on_memcached() = hits_survive_a_clean_restart(Kind::Memcached);
    async fn c58_a_start_that_is_stopped_leaves_the_cache_on_redis() = a_start_that_is_stopped_leaves_the_cache(Kind::Redis);
    async fn c58_a_start_that_is_stopped_leaves_the_cache_on_memcached() = a_start_that_is_stopped_leaves_the_cache(Kind::Memcached);
    async fn c58_a_pending_deletion_of_a_killed_process_leaves_nothing_stale_on_redis() = a_pending_deletion_of_a_killed_process(Kind::Redis);
    async fn c58_a_pending_deletion_of_a_killed_process_leaves_nothing_stale_on_memcached() = a_pending_deletion_of_a_killed_process(Kind::Memcached);
    async fn c58_a_pending_deletion_is_delivered_at_sigterm_on_redis() = a_deletion_is_delivered_at_sigterm(Kind::Redis);
    async fn c58_a_pending_deletion_is_delivered_at_sigterm_on_memcached() = a_deletion_is_delivered_at_sigterm(Kind::Memcached);
    async fn c58_a_deletion_that_is_not_delivered_is_named_on_redis() = undelivered_deletions_are_named(Kind::Redis);
    async fn c58_a_deletion_that_is_not_delivered_is_named_on_memcached() = undelivered_deletions_are_named(Kind::Memcached);
    async fn c20_a_write_without_its_client_is_finished_at_sigterm_on_redis() = a_write_without_its_client_is_finished_at_sigterm(Kind::Redis);
    async fn c20_a_write_without_its_client_is_finished_at_sigterm_on_memcached() = a_write_without_its_client_is_finished_at_sigterm(Kind::Memcached);
    async fn c58_an_instance_that_was_frozen_serves_nothing_old_on_redis() = a_frozen_instance_serves_nothing_old(Kind::Redis);
    async fn c58_an_instance_that_was_frozen_serves_nothing_old_on_memcached() = a_frozen_instance_serves_nothing_old(Kind::Memcached);
}
