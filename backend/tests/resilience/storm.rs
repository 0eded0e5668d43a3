//! The storm (C33): many writers and readers on two instances, and no stale answer, except within the allowed lag of
//! another instance's near cache.
//!
//! Come here after changing anything that decides whether an entry may be answered.

mod checks;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::{Cluster, versioned_name};
use crate::figures::soaking;
use crate::history::{History, NEAR, lag};
use crate::support::eventually;
use crate::support::service::Service;
use checks::Expected;

const WIDGETS: usize = 20;
/// The number of writers that change widgets.
const CHANGERS: usize = 6;
/// The number of writers that create and delete widgets.
const MAKERS: usize = 2;
/// The number of writers past the service, where there are any.
const HANDS: usize = 2;
/// Stands for the instance of a change past the service.
const BY_HAND: usize = usize::MAX;
const READERS: usize = 24;
const READS_OF_A_SOAK: u64 = 50_000;
/// The number of reads in a soak after which the comparison of entries with their handlers counts as free of false
/// alarms.
const VERIFIED_READS_OF_A_SOAK: u64 = 100_000;
/// A page with all changed widgets.
const LIST: &str = "/users/ada/widgets?items_per_page=50";
const SEARCH: &str = "/widgets?q=widget&items_per_page=50";

/// How long an answer may be from before a change by hand (C54).
const LAG_OF_HANDS: Duration = Duration::from_secs(1);

struct Widget {
    id: i64,
    history: History,
    /// The longest allowed time of an answer from before a write through another instance, or by hand.
    lag: Duration,
}

struct Storm {
    cluster: Cluster,
    ada: String,
    widgets: Vec<Widget>,
    /// The number of widgets. Locked while a widget is created or deleted and the count is read.
    count: tokio::sync::Mutex<i64>,
    ends: Instant,
    reads: AtomicU64,
    hits: AtomicU64,
    writes: AtomicU64,
    reads_of_a_soak: u64,
    wrong: Mutex<Vec<String>>,
    /// The number of writers that change widgets past the service.
    hands: usize,
    /// The longest allowed time of an answer from before another instance's write.
    lag: Duration,
    /// The longest such time that was seen.
    longest_lag: Mutex<Duration>,
}

impl Storm {
    async fn prepare(
        environment: &[(&str, &str)],
        instances: usize,
        reads_of_a_soak: u64,
        hands: usize,
    ) -> Arc<Self> {
        let quiet = [("LOG_LEVEL", "warn,backend::startup=info")];
        let cluster = Cluster::start(instances, &[&quiet, environment].concat()).await;
        let ada = cluster.first().new_user("ada").await;
        let mut widgets = Vec::new();
        let lag = lag(environment);
        for number in 0..WIDGETS {
            let name = versioned_name(number, 0);
            let is_of_a_hand = number % (CHANGERS + hands) >= CHANGERS;
            widgets.push(Widget {
                id: cluster.first().new_widget(&ada, &name).await,
                history: History::default(),
                lag: if is_of_a_hand { LAG_OF_HANDS } else { lag },
            });
        }
        Arc::new(Self {
            cluster,
            ada,
            widgets,
            count: tokio::sync::Mutex::new(i64::try_from(WIDGETS).expect("a small number")),
            ends: Instant::now() + Duration::from_secs(if soaking() { 10 } else { 3 }),
            reads: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            reads_of_a_soak,
            wrong: Mutex::default(),
            hands,
            lag,
            longest_lag: Mutex::default(),
        })
    }

    fn goes_on(&self) -> bool {
        let enough = !soaking() || self.reads.load(Ordering::Relaxed) >= self.reads_of_a_soak;
        Instant::now() < self.ends || !enough
    }

    /// The number of any instance.
    fn any_instance(&self) -> usize {
        rand::random_range(0..self.cluster.instances.len())
    }

    /// The widgets that only this writer changes.
    fn own_widgets(&self, writer: usize) -> Vec<usize> {
        (writer..WIDGETS).step_by(CHANGERS + self.hands).collect()
    }

    /// Changes widgets of its own past the service, as `psql` does.
    async fn change_by_hand(self: Arc<Self>, writer: usize) {
        let pool = self.cluster.database.pool().await;
        let own = self.own_widgets(writer);
        for turn in 0.. {
            if !self.goes_on() {
                return;
            }
            let number = own[turn % own.len()];
            let widget = &self.widgets[number];
            let name = versioned_name(number, widget.history.version() + 1);
            let change = sqlx::query("UPDATE widgets SET name = $1 WHERE id = $2");
            let change = change.bind(name).bind(widget.id).execute(&pool);
            change.await.expect("a change");
            widget.history.acknowledge(BY_HAND);
            self.writes.fetch_add(1, Ordering::Relaxed);
            for instance in 0..self.cluster.instances.len() {
                self.check_widget(instance, number).await;
            }
        }
    }

    /// Changes widgets of its own and reads each change back through every instance.
    async fn change(self: Arc<Self>, writer: usize) {
        let own = self.own_widgets(writer);
        for turn in 0.. {
            if !self.goes_on() {
                return;
            }
            let number = own[turn % own.len()];
            let widget = &self.widgets[number];
            let version = widget.history.version() + 1;
            let path = format!("/widgets/{}", widget.id);
            let change = json!({"name": versioned_name(number, version)});
            let instance = self.any_instance();
            let service = &self.cluster.instances[instance];
            service.patch(&self.ada, &path, change).await.expect(200);
            widget.history.acknowledge(instance);
            self.writes.fetch_add(1, Ordering::Relaxed);
            for instance in 0..self.cluster.instances.len() {
                self.check_widget(instance, number).await;
                match turn % 4 {
                    1 => self.check_list(instance, LIST).await,
                    3 => self.check_list(instance, SEARCH).await,
                    _ => {}
                }
            }
        }
    }

    /// Creates and deletes widgets and checks the list and the count.
    async fn make(self: Arc<Self>, user: String) {
        let token = self.cluster.first().new_user(&user).await;
        while self.goes_on() {
            let instance = self.any_instance();
            let service = &self.cluster.instances[instance];
            let id = {
                let mut count = self.count.lock().await;
                let id = service.new_widget(&token, "made").await;
                *count += 1;
                self.check_everywhere(instance, Expected::Count(*count))
                    .await;
                id
            };
            self.check_everywhere(instance, Expected::Present { user: &user, id })
                .await;
            let instance = self.any_instance();
            let service = &self.cluster.instances[instance];
            {
                let mut count = self.count.lock().await;
                let path = format!("/widgets/{id}");
                service.delete(&token, &path).await.expect(204);
                *count -= 1;
                self.check_everywhere(instance, Expected::Count(*count))
                    .await;
            }
            self.check_everywhere(instance, Expected::Absent { user: &user, id })
                .await;
            self.writes.fetch_add(2, Ordering::Relaxed);
        }
    }

    async fn look(self: Arc<Self>) {
        while self.goes_on() {
            let number = rand::random_range(0..WIDGETS);
            let instance = self.any_instance();
            match rand::random_range(0..20) {
                0 => self.check_list(instance, LIST).await,
                1 => self.check_list(instance, SEARCH).await,
                2 => drop(self.read(instance, "/widgets/count").await),
                _ => self.check_widget(instance, number).await,
            }
        }
    }
}

async fn storm(environment: &[(&str, &str)], instances: usize) {
    let storm = Storm::prepare(environment, instances, READS_OF_A_SOAK, 0).await;
    run(&storm, environment).await;
}

/// Writers past the service beside those through it. An answer of the service is never from before a write that it has
/// acknowledged, and from before a change by hand for a second at most.
async fn storm_with_the_feed(backend: &str) {
    let environment = [("CACHE_BACKEND", backend), ("CACHE_DATABASE_FEED", "true")];
    let storm = Storm::prepare(&environment, 2, READS_OF_A_SOAK, HANDS).await;
    run(&storm, &environment).await;
}

async fn run(storm: &Arc<Storm>, environment: &[(&str, &str)]) {
    let instances = storm.cluster.instances.len();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..CHANGERS {
        tasks.spawn(Arc::clone(storm).change(writer));
    }
    for hand in 0..storm.hands {
        tasks.spawn(Arc::clone(storm).change_by_hand(CHANGERS + hand));
    }
    for maker in 0..MAKERS {
        tasks.spawn(Arc::clone(storm).make(format!("maker_{maker}")));
    }
    for _ in 0..READERS {
        tasks.spawn(Arc::clone(storm).look());
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
    let (reads, hits) = (
        storm.reads.load(Ordering::Relaxed),
        storm.hits.load(Ordering::Relaxed),
    );
    let wrong = std::mem::take(&mut *storm.wrong.lock().unwrap());
    println!(
        "storm on {instances} with {environment:?}: {reads} reads ({hits} hits), {} writes, {} stale, none \
         further behind another instance than {:.1?}",
        storm.writes.load(Ordering::Relaxed),
        wrong.len(),
        storm.longest_lag.lock().unwrap()
    );
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(10)]);
    assert!(hits > 0, "a storm needs hits");
    storm.check_against_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c33_no_read_after_an_acknowledged_write_is_stale_in_a_storm_on_redis() {
    storm(&[("CACHE_BACKEND", "redis")], 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c33_no_read_after_an_acknowledged_write_is_stale_in_a_storm_on_memcached() {
    storm(&[("CACHE_BACKEND", "memcached")], 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c33_no_read_after_an_acknowledged_write_is_stale_in_a_storm_in_memory() {
    storm(&[("CACHE_BACKEND", "memory")], 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c33_no_read_after_an_acknowledged_write_is_stale_in_a_storm_with_a_near_cache() {
    storm(&[NEAR], 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c33_only_another_instances_near_cache_lags_and_not_for_long_in_a_storm() {
    storm(&[NEAR], 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c54_no_read_after_an_acknowledged_write_is_stale_in_a_storm_with_changes_by_hand_on_redis()
{
    storm_with_the_feed("redis").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c54_no_read_after_an_acknowledged_write_is_stale_in_a_storm_with_changes_by_hand_on_memcached()
 {
    storm_with_the_feed("memcached").await;
}

/// Every hit may be compared with its handler. No entry is found stale, except the one that is planted at the end.
async fn check_that_only_a_planted_entry_is_found_stale(backend: &str, instances: usize) {
    let environment = [("CACHE_BACKEND", backend), ("CACHE_VERIFY_PERCENT", "100")];
    let storm = Storm::prepare(&environment, instances, VERIFIED_READS_OF_A_SOAK, 0).await;
    run(&storm, &environment).await;
    let stale = || -> Vec<serde_json::Value> {
        let logs = storm.cluster.instances.iter().map(Service::log);
        let is_stale = |line: &serde_json::Value| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with("stale entry")
        };
        logs.flatten().filter(is_stale).collect()
    };
    // When it is found, every earlier difference would have been reported.
    let planted = storm.widgets[0].id;
    let path = format!("/widgets/{planted}");
    storm.read(0, &path).await;
    let plant = format!("UPDATE widgets SET name = 'planted' WHERE id = {planted}");
    storm.cluster.database.change_unrecorded(&plant).await;
    eventually("the planted entry is found", async || {
        storm.read(0, &path).await;
        !stale().is_empty()
    })
    .await;
    for line in stale() {
        assert_eq!(line["key"], format!("widget:{planted}"), "{:#?}", stale());
    }
    let (_, body) = storm.read(0, &path).await;
    assert_eq!(body["name"], "planted", "the entry is deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c50_no_entry_is_found_stale_in_a_storm_on_redis() {
    check_that_only_a_planted_entry_is_found_stale("redis", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c50_no_entry_is_found_stale_in_a_storm_on_memcached() {
    check_that_only_a_planted_entry_is_found_stale("memcached", 2).await;
}
