//! A promoted replica that lacks the last deletions (C60): what it holds is never trusted, by the instances that saw the failover
//! and by one that starts afterwards.
//!
//! Come here for a replica that is behind, without load. Failovers under load are in `failover`.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::failover::environment;
use crate::support::eventually;
use crate::support::proxy::Mode;
use crate::support::sentinels::{Replicated, ask};

const WIDGETS: usize = 8;

/// So many widgets with the name `old`, after the token of their owner.
pub async fn old_widgets(cluster: &Cluster, count: usize) -> (String, Vec<i64>) {
    let token = cluster.first().new_user("ada").await;
    let mut widgets = Vec::new();
    for _ in 0..count {
        widgets.push(cluster.first().new_widget(&token, "old").await);
    }
    (token, widgets)
}

/// Widgets behind instances, whose entries the replica holds too.
struct Site {
    redis: Replicated,
    cluster: Cluster,
    token: String,
    widgets: Vec<i64>,
}

impl Site {
    async fn prepare(instances: usize) -> Self {
        let mut site = Self {
            redis: Replicated::start().await,
            cluster: Cluster::start(0, &[]).await,
            token: String::new(),
            widgets: Vec::new(),
        };
        for _ in 0..instances {
            site.start_instance().await;
        }
        (site.token, site.widgets) = old_widgets(&site.cluster, WIDGETS).await;
        for id in &site.widgets {
            let path = format!("/widgets/{id}");
            eventually("it is a hit, and replicated", async || {
                let answer = site.cluster.first().get(&path).await.expect(200);
                answer.is_hit() && site.is_old_on_replica(*id).await
            })
            .await;
        }
        site
    }

    async fn start_instance(&mut self) {
        let sentinels = self.redis.list();
        let mut environment = environment(&sentinels);
        environment.push(("LOG_LEVEL", "error,backend::startup=info"));
        self.cluster.add(&environment).await;
    }

    /// Whether the replica holds the entry from before the change.
    async fn is_old_on_replica(&self, id: i64) -> bool {
        let get = format!("GET {}:widget:{id}", self.cluster.namespace);
        let stored: Option<String> = ask(self.redis.servers[1].port, &get).await.unwrap();
        stored.is_some_and(|stored| stored.contains("\"old\""))
    }

    /// Changes every widget, through one instance after the other. The replica learns nothing of it. Then the master is killed.
    async fn change_and_kill_master(&mut self) {
        change(&self.cluster, &self.token, &self.widgets).await;
        self.redis.servers[0].kill();
        for id in &self.widgets {
            assert!(self.is_old_on_replica(*id).await, "it lacks the deletion");
        }
    }
}

/// Gives every widget a new name, through one instance after the other.
pub async fn change(cluster: &Cluster, token: &str, widgets: &[i64]) {
    for (number, id) in widgets.iter().enumerate() {
        let writer = &cluster.instances[number % cluster.instances.len()];
        let path = format!("/widgets/{id}");
        let written = writer.patch(token, &path, json!({"name": "new"}));
        written.await.expect(200);
    }
}

/// Reads through every instance until each has many hits. Every answer is new.
pub async fn hits_come_back(cluster: &Cluster, widgets: &[i64]) {
    let began = Instant::now();
    let deadline = began + Duration::from_secs(20);
    let mut hits = vec![0; cluster.instances.len()];
    while hits.iter().any(|hits| *hits < 3 * widgets.len()) {
        assert!(
            Instant::now() < deadline,
            "waited in vain for hits: {hits:?}"
        );
        for (instance, hits) in cluster.instances.iter().zip(&mut hits) {
            for id in widgets {
                let answer = instance.get(&format!("/widgets/{id}")).await.expect(200);
                assert_eq!(answer.json()["name"], "new", "{answer:?}");
                *hits += usize::from(answer.is_hit());
            }
        }
    }
    println!("a promoted replica: hits after {:.1?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c60_a_promoted_replica_that_lacks_the_last_deletions_is_never_trusted() {
    let mut site = Site::prepare(2).await;
    site.redis.line.set(Mode::HoldAnswers);
    site.change_and_kill_master().await;
    site.redis.is_promoted(1).await;
    hits_come_back(&site.cluster, &site.widgets).await;
}

/// The record that the replica has lists no instance that could still deliver: the first one has left, and the second one, which
/// made the changes, is not in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c60_a_process_that_starts_after_the_failover_trusts_nothing_from_before() {
    let mut site = Site::prepare(1).await;
    site.cluster.instances[0].signal("TERM");
    site.cluster.instances[0].wait().await;
    let record = format!("GET {}:~generation", site.cluster.namespace);
    let (master, replica) = (site.redis.servers[0].port, site.redis.servers[1].port);
    eventually("the replica knows that it has left", async || {
        let left: Option<String> = ask(master, &record).await.unwrap();
        left == ask(replica, &record).await.unwrap()
    })
    .await;
    site.redis.line.set(Mode::HoldAnswers);
    site.cluster.instances.clear();
    site.start_instance().await;
    site.change_and_kill_master().await;
    site.cluster.instances[0].signal("KILL");
    site.cluster.instances[0].wait().await;
    site.cluster.instances.clear();
    site.redis.is_promoted(1).await;
    site.start_instance().await;
    hits_come_back(&site.cluster, &site.widgets).await;
}
