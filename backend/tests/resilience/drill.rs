//! The load of an outage drill (C43): readers and writers on two instances while the cache is
//! unavailable, and the result of every request.
//!
//! Come here to change what every drill does and checks. The faults are in `outage`, `some_connections` and
//! `several_servers`.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, read, versioned_name};
use crate::figures::Latencies;
use crate::history::{History, Reader, lag};
use crate::support::eventually;

const INSTANCES: usize = 2;
const READERS: usize = 8;
/// The number of widgets that are written all the time, by one writer for each instance.
const BUSY: usize = 8;
/// The number of widgets that are written once, during the outage: only that deletion makes them fresh.
const ONCE: usize = 12;
/// The number of hits that each instance must give after the recovery.
const HITS_AFTERWARDS: u64 = 100;
/// The longest time until requests recognise that the cache is unavailable.
const DECIDING: Duration = Duration::from_secs(1);

const HEALTHY: u8 = 0;
const OUTAGE: u8 = 1;
const OVER: u8 = 2;

struct Widget {
    id: i64,
    /// The instance that writes the widget.
    home: usize,
    history: History,
}

/// The results of the requests of one phase.
#[derive(Default)]
struct Tally {
    hits: [u64; INSTANCES],
    latencies: Latencies,
    /// The latencies of the first second.
    deciding: Latencies,
    /// The longest time in which an instance gave an answer from before the other's write.
    longest_lag: Duration,
    /// Stale answers of the instance of the write, and of the other instance.
    stale: [Vec<String>; 2],
}

/// A cluster under load.
pub struct Drill {
    cluster: Cluster,
    token: String,
    widgets: Vec<Widget>,
    /// The time after a write in which the other instance may give an answer from before it.
    lag: Duration,
    phase: AtomicU8,
    since: Mutex<Instant>,
    ends: AtomicBool,
    tallies: [Mutex<Tally>; 3],
    failed: Mutex<Vec<String>>,
    first_hits: [Mutex<Option<Duration>>; INSTANCES],
}

impl Drill {
    /// Starts two instances on the cache that the environment names.
    pub async fn prepare(environment: &[(&str, &str)]) -> Arc<Self> {
        let quiet = [("LOG_LEVEL", "error,backend::startup=info")];
        let lag = lag(environment);
        let environment = [&quiet, environment].concat();
        let cluster = Cluster::start(INSTANCES, &environment).await;
        let token = cluster.first().new_user("ada").await;
        let mut widgets = Vec::new();
        for number in 0..BUSY + ONCE {
            let name = versioned_name(number, 0);
            widgets.push(Widget {
                id: cluster.first().new_widget(&token, &name).await,
                home: number % INSTANCES,
                history: History::default(),
            });
        }
        Arc::new(Self {
            cluster,
            token,
            widgets,
            lag,
            phase: AtomicU8::new(HEALTHY),
            since: Mutex::new(Instant::now()),
            ends: AtomicBool::new(false),
            tallies: Default::default(),
            failed: Mutex::default(),
            first_hits: Default::default(),
        })
    }

    /// Starts the load and waits until both instances answer from the cache.
    pub async fn start_load(self: &Arc<Self>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for reader in 0..READERS {
            tasks.spawn(Arc::clone(self).look(reader % INSTANCES));
        }
        for home in 0..INSTANCES {
            tasks.spawn(Arc::clone(self).write_busily(home));
        }
        eventually("both instances answer from the cache", async || {
            self.has_hits(HEALTHY, HITS_AFTERWARDS)
        })
        .await;
        tasks
    }

    /// Begins the phase of the outage, just before the cache becomes unavailable.
    pub fn begin_outage(&self) {
        self.enter(OUTAGE);
    }

    /// Begins the phase after the outage: the cache is available again.
    pub fn end_outage(&self) {
        self.enter(OVER);
    }

    fn enter(&self, phase: u8) {
        *self.since.lock().unwrap() = Instant::now();
        self.phase.store(phase, Ordering::SeqCst);
    }

    /// Writes each of the widgets that are written once, spread over this time.
    pub async fn write_once(&self, during: Duration) {
        let mut pace = tokio::time::interval(during / u32::try_from(ONCE).unwrap());
        for number in BUSY..BUSY + ONCE {
            pace.tick().await;
            self.write(number).await;
        }
        pace.tick().await;
    }

    /// Waits until both instances answer from the cache again, ends the load and checks the results.
    pub async fn finish(self: Arc<Self>, name: &str, mut tasks: JoinSet<()>) {
        eventually("both instances answer from the cache again", async || {
            self.has_hits(OVER, HITS_AFTERWARDS)
        })
        .await;
        self.ends.store(true, Ordering::SeqCst);
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no panic");
        }
        // The longest allowed lag.
        tokio::time::sleep(self.lag).await;
        for number in 0..self.widgets.len() {
            for instance in 0..INSTANCES {
                self.check(number, instance).await;
            }
        }
        self.print(name);
        let failed = self.failed.lock().unwrap();
        assert!(failed.is_empty(), "{name}: {:#?}", first(&failed));
        for phase in [HEALTHY, OUTAGE, OVER] {
            let tally = self.tallies[usize::from(phase)].lock().unwrap();
            for (stale, whose) in tally.stale.iter().zip(["own", "the other's"]) {
                assert!(
                    stale.is_empty(),
                    "{name}, phase {phase}: {} stale reads of {whose} writes: {:#?}",
                    stale.len(),
                    first(stale)
                );
            }
        }
    }

    fn print(&self, name: &str) {
        let outage = self.tallies[usize::from(OUTAGE)].lock().unwrap();
        let recoveries: Vec<_> = self
            .first_hits
            .iter()
            .map(|hit| hit.lock().unwrap().unwrap_or_default().as_millis())
            .collect();
        println!(
            "{name}: hits are back after {recoveries:?} ms; during the outage {:?} hits and {}; slowest in its first second {:.0?}; \
             behind the other's writes by at most {:.0?}",
            outage.hits,
            outage.latencies,
            outage.deciding.quantile(1.0),
            outage.longest_lag
        );
    }

    fn has_hits(&self, phase: u8, wanted: u64) -> bool {
        let tally = self.tallies[usize::from(phase)].lock().unwrap();
        tally.hits.iter().all(|hits| *hits >= wanted)
    }

    async fn look(self: Arc<Self>, instance: usize) {
        while !self.ends.load(Ordering::SeqCst) {
            let number = rand::random_range(0..self.widgets.len());
            self.check(number, instance).await;
            // A pause: the load must not exhaust the machine.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn write_busily(self: Arc<Self>, home: usize) {
        for number in (home..BUSY).step_by(INSTANCES).cycle() {
            if self.ends.load(Ordering::SeqCst) {
                return;
            }
            self.write(number).await;
        }
    }

    /// Writes a new version and reads it back through both instances.
    async fn write(&self, number: usize) {
        let widget = &self.widgets[number];
        let version = widget.history.version() + 1;
        let path = format!("/widgets/{}", widget.id);
        let change = json!({"name": versioned_name(number, version)});
        let request = self.cluster.instances[widget.home]
            .api(Method::PATCH, &path, &self.token)
            .timeout(Duration::from_secs(5))
            .json(&change);
        match request.send().await {
            Ok(response) if response.status().as_u16() == 200 => {}
            outcome => {
                self.failed(format!("PATCH {path}: {outcome:?}"));
                return;
            }
        }
        widget.history.acknowledge(widget.home);
        for instance in [widget.home, 1 - widget.home] {
            self.check(number, instance).await;
        }
    }

    /// Reads a widget: it must be answered in time, and be no older than the last acknowledged write.
    async fn check(&self, number: usize, instance: usize) {
        let widget = &self.widgets[number];
        let phase = self.phase.load(Ordering::SeqCst);
        let since = *self.since.lock().unwrap();
        let deciding = since.elapsed() < DECIDING;
        let path = format!("/widgets/{}", widget.id);
        let reader = Reader::of(instance);
        let (outcome, latency) = read(&self.cluster.instances[instance], &path).await;
        let answer = match outcome {
            Ok(answer) if answer.status == 200 => answer,
            outcome => {
                self.failed(format!("{outcome:?}"));
                return;
            }
        };
        let mut tally = self.tallies[usize::from(phase)].lock().unwrap();
        tally.latencies.add(latency);
        if deciding {
            tally.deciding.add(latency);
        }
        let body = answer.json();
        if body["id"] != widget.id {
            self.failed(format!("{path} was answered with {body}"));
        }
        match widget.history.judge(reader, &body, self.lag) {
            Ok(lag) => tally.longest_lag = lag.max(tally.longest_lag),
            Err(stale) => {
                let whose = usize::from(instance != widget.home);
                tally.stale[whose].push(format!(
                    "{stale}; after {:.0?}: {}",
                    since.elapsed(),
                    answer.header("cache-status")
                ));
            }
        }
        if answer.is_hit() {
            tally.hits[instance] += 1;
            if phase == OVER {
                let mut first_hit = self.first_hits[instance].lock().unwrap();
                first_hit.get_or_insert_with(|| since.elapsed());
            }
        }
    }

    fn failed(&self, what: String) {
        self.failed.lock().unwrap().push(what);
    }
}

fn first(all: &[String]) -> &[String] {
    &all[..all.len().min(5)]
}
