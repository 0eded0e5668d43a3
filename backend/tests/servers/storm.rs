//! A storm with a failover in its middle (C60): writers and readers on two instances, and no stale answer.
//!
//! Come here for the load and its judgement. The faults are in `failover`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, read, versioned_name};
use crate::figures::soaking;
use crate::history::{Reader, lag};
use crate::load::Load;
use crate::support::eventually;

pub const INSTANCES: usize = 2;
const WRITERS: usize = 8;
const READERS: usize = 24;
const WIDGETS: usize = 24;
/// A time without hits that belongs to the failover, and not to the load.
const GAP: Duration = Duration::from_millis(500);
/// The number of hits of each instance that show that it answers from the cache.
const SOME_HITS: u64 = if cfg!(debug_assertions) { 100 } else { 1000 };

/// Hits of one instance.
#[derive(Debug, Default)]
struct Hits {
    count: AtomicU64,
    /// The last hit, and the first one after the longest time without one.
    last: Mutex<Option<Instant>>,
    back: Mutex<Option<(Duration, Instant)>>,
}

impl Hits {
    fn note(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let before = self.last.lock().unwrap().replace(now);
        let mut back = self.back.lock().unwrap();
        if let Some(gap) = before.map(|before| now.saturating_duration_since(before))
            && gap > back.map_or(GAP, |(longest, _)| longest)
        {
            *back = Some((gap, now));
        }
    }
}

/// Two instances under load.
pub struct Storm {
    pub cluster: Cluster,
    token: String,
    load: Load,
    lag: Duration,
    writes: AtomicU64,
    hits: [Hits; INSTANCES],
}

impl Storm {
    /// Starts an instance in each of the environments, and the load. Returns when both answer from the cache.
    pub async fn begin(environments: [&[(&str, &str)]; INSTANCES]) -> (Arc<Self>, JoinSet<()>) {
        let mut cluster = Cluster::start(0, &[]).await;
        for environment in environments {
            let quiet = [("LOG_LEVEL", "error,backend::startup=info")];
            cluster.add(&[&quiet, environment].concat()).await;
        }
        let token = cluster.first().new_user("ada").await;
        let load = Load::of(WIDGETS, cluster.first(), &token).await;
        let storm = Arc::new(Self {
            cluster,
            token,
            load,
            lag: lag(environments[0]),
            writes: AtomicU64::new(0),
            hits: Default::default(),
        });
        let mut tasks = JoinSet::new();
        for writer in 0..WRITERS {
            tasks.spawn(Arc::clone(&storm).write(writer));
        }
        for _ in 0..READERS {
            tasks.spawn(Arc::clone(&storm).look());
        }
        storm.has_hits().await;
        (storm, tasks)
    }

    /// Waits until both instances have answered from the cache from now on.
    pub async fn has_hits(&self) {
        let before = self.counts();
        eventually("both instances answer from the cache", async || {
            let now = self.counts();
            (0..INSTANCES).all(|instance| now[instance] >= before[instance] + SOME_HITS)
        })
        .await;
    }

    /// Waits until each widget has been a hit on the instance from now on.
    pub async fn every_widget_is_a_hit(&self, instance: usize) {
        let hits = self.load.widgets.iter().map(async |(id, _)| {
            let path = format!("/widgets/{id}");
            eventually("a widget is a hit", async || {
                let answer = read(&self.cluster.instances[instance], &path).await.0;
                answer.is_ok_and(|answer| answer.is_hit())
            })
            .await;
        });
        join_all(hits).await;
    }

    /// Waits until an instance had no hits for a while, and has hits again after this moment. Returns the time until then.
    pub async fn hits_return(&self, instance: usize, since: Instant) -> Duration {
        let returned = || {
            let back = self.hits[instance].back.lock().unwrap();
            back.and_then(|(_, at)| at.checked_duration_since(since))
        };
        eventually("hits return", async || returned().is_some()).await;
        returned().unwrap_or_default()
    }

    /// Waits until so many more writes were acknowledged.
    pub async fn has_written(&self, more: u64) {
        let wanted = self.writes.load(Ordering::Relaxed) + more;
        eventually("writes are acknowledged", async || {
            self.writes.load(Ordering::Relaxed) >= wanted
        })
        .await;
    }

    fn counts(&self) -> [u64; INSTANCES] {
        let counts = self.hits.each_ref();
        counts.map(|hits| hits.count.load(Ordering::Relaxed))
    }

    /// Ends the load, and fails if an answer was wrong. Prints when each instance had hits again after the switch.
    pub async fn end(self: Arc<Self>, tasks: JoinSet<()>, name: &str, back: [Duration; INSTANCES]) {
        if soaking() {
            // The load goes on for longer.
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        self.load.end(tasks).await;
        // The longest allowed lag.
        tokio::time::sleep(self.lag).await;
        for number in 0..WIDGETS {
            for instance in 0..INSTANCES {
                self.check(instance, number).await;
            }
        }
        println!(
            "{name}: {} writes, {} reads, {:?} hits; hits are back {back:.1?} after the switch",
            self.writes.load(Ordering::Relaxed),
            self.load.reads.load(Ordering::Relaxed),
            self.counts(),
        );
        self.load.expect_right(name);
    }

    async fn write(self: Arc<Self>, writer: usize) {
        for number in (writer..WIDGETS).step_by(WRITERS).cycle() {
            if !self.load.goes_on() {
                return;
            }
            let (id, history) = &self.load.widgets[number];
            let path = format!("/widgets/{id}");
            let instance = rand::random_range(0..INSTANCES);
            let request = self.cluster.instances[instance].api(Method::PATCH, &path, &self.token);
            let change = json!({"name": versioned_name(number, history.version() + 1)});
            let request = request.timeout(Duration::from_secs(5)).json(&change);
            match request.send().await {
                Ok(response) if response.status() == 200 => {}
                outcome => return self.load.is_wrong(format!("PATCH {path}: {outcome:?}")),
            }
            history.acknowledge(instance);
            self.writes.fetch_add(1, Ordering::Relaxed);
            for instance in 0..INSTANCES {
                self.check(instance, number).await;
            }
        }
    }

    async fn look(self: Arc<Self>) {
        while self.load.goes_on() {
            let number = rand::random_range(0..WIDGETS);
            self.check(rand::random_range(0..INSTANCES), number).await;
            // A pause: the load must not exhaust the machine.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Reads a widget: it must be answered, and be no older than the last acknowledged write.
    async fn check(&self, instance: usize, number: usize) {
        let reader = Reader::of(instance);
        let service = &self.cluster.instances[instance];
        if self.load.check(service, reader, number, self.lag).await {
            self.hits[instance].note();
        }
    }
}
