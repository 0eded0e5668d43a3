//! The storm (C33): many writers and readers over two instances, and not one stale answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{Cluster, read, version_of, versioned_name};
use crate::figures::soaking;
use crate::support::service::Service;

const WIDGETS: usize = 20;
/// Writers that change widgets.
const CHANGERS: usize = 6;
/// Writers that make and delete widgets.
const MAKERS: usize = 2;
const READERS: usize = 24;
const READS_OF_A_SOAK: u64 = 50_000;
/// All of the changed widgets on one page.
const LIST: &str = "/users/ada/widgets?items_per_page=50";
const SEARCH: &str = "/widgets?q=widget&items_per_page=50";

struct Widget {
    id: i64,
    /// The version that the last acknowledged write gave it.
    acknowledged: AtomicU64,
}

struct Storm {
    cluster: Cluster,
    ada: String,
    widgets: Vec<Widget>,
    /// How many widgets there are; held while one is made or deleted and the count is read.
    count: tokio::sync::Mutex<i64>,
    ends: Instant,
    reads: AtomicU64,
    hits: AtomicU64,
    writes: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Storm {
    async fn prepare(backend: &str, instances: usize) -> Arc<Self> {
        let environment = [
            ("CACHE_BACKEND", backend),
            ("LOG_LEVEL", "warn,backend::startup=info"),
        ];
        let cluster = Cluster::start(instances, &environment).await;
        let ada = cluster.first().new_user("ada").await;
        let mut widgets = Vec::new();
        for number in 0..WIDGETS {
            let name = versioned_name(number, 0);
            widgets.push(Widget {
                id: cluster.first().new_widget(&ada, &name).await,
                acknowledged: AtomicU64::new(0),
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
            wrong: Mutex::default(),
        })
    }

    fn goes_on(&self) -> bool {
        let enough = !soaking() || self.reads.load(Ordering::Relaxed) >= READS_OF_A_SOAK;
        Instant::now() < self.ends || !enough
    }

    fn instance(&self) -> &Service {
        &self.cluster.instances[rand::random_range(0..self.cluster.instances.len())]
    }

    fn wrong(&self, what: String) {
        self.wrong.lock().expect("the list").push(what);
    }

    /// Reads through an instance; status and body.
    async fn read(&self, instance: &Service, path: &str) -> (u16, Value) {
        let answer = read(instance, path).await.0.expect("an answer");
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.hits
            .fetch_add(u64::from(answer.is_hit()), Ordering::Relaxed);
        if answer.status >= 500 {
            self.wrong(format!("{path}: {}", answer.status));
        }
        (answer.status, answer.json())
    }

    /// The versions that whoever begins to read now must at least see.
    fn floors(&self) -> Vec<u64> {
        self.widgets
            .iter()
            .map(|widget| widget.acknowledged.load(Ordering::SeqCst))
            .collect()
    }

    async fn check_widget(&self, instance: &Service, number: usize) {
        let widget = &self.widgets[number];
        let floor = widget.acknowledged.load(Ordering::SeqCst);
        let path = format!("/widgets/{}", widget.id);
        let (_, body) = self.read(instance, &path).await;
        if version_of(&body) < floor {
            self.wrong(format!("{path}: {body} after version {floor}"));
        }
    }

    async fn check_list(&self, instance: &Service, path: &str) {
        let floors = self.floors();
        let (_, page) = self.read(instance, path).await;
        for (widget, floor) in self.widgets.iter().zip(floors) {
            let item = item_of(&page, widget.id);
            if item.is_none_or(|item| version_of(item) < floor) {
                self.wrong(format!("{path}: {item:?} after version {floor}"));
            }
        }
    }

    /// Changes widgets of its own and reads each change back through every instance.
    async fn change(self: Arc<Self>, writer: usize) {
        let own: Vec<usize> = (writer..WIDGETS).step_by(CHANGERS).collect();
        for turn in 0.. {
            if !self.goes_on() {
                return;
            }
            let number = own[turn % own.len()];
            let widget = &self.widgets[number];
            let version = widget.acknowledged.load(Ordering::SeqCst) + 1;
            let path = format!("/widgets/{}", widget.id);
            let change = json!({"name": versioned_name(number, version)});
            let answer = self.instance().patch(&self.ada, &path, change).await;
            answer.expect(200);
            widget.acknowledged.store(version, Ordering::SeqCst);
            self.writes.fetch_add(1, Ordering::Relaxed);
            for instance in &self.cluster.instances {
                self.check_widget(instance, number).await;
                match turn % 4 {
                    1 => self.check_list(instance, LIST).await,
                    3 => self.check_list(instance, SEARCH).await,
                    _ => {}
                }
            }
        }
    }

    /// Makes and deletes widgets and looks for them in the list and in the count.
    async fn make(self: Arc<Self>, user: String) {
        let token = self.cluster.first().new_user(&user).await;
        while self.goes_on() {
            let id = {
                let mut count = self.count.lock().await;
                let id = self.instance().new_widget(&token, "made").await;
                *count += 1;
                self.check_count(*count).await;
                id
            };
            self.check_presence(&user, id, true).await;
            {
                let mut count = self.count.lock().await;
                let path = format!("/widgets/{id}");
                self.instance().delete(&token, &path).await.expect(204);
                *count -= 1;
                self.check_count(*count).await;
            }
            self.check_presence(&user, id, false).await;
            self.writes.fetch_add(2, Ordering::Relaxed);
        }
    }

    async fn check_count(&self, expected: i64) {
        for instance in &self.cluster.instances {
            let (_, body) = self.read(instance, "/widgets/count").await;
            if body["count"] != expected {
                self.wrong(format!("{body}, but there are {expected}"));
            }
        }
    }

    async fn check_presence(&self, user: &str, id: i64, present: bool) {
        for instance in &self.cluster.instances {
            let list = format!("/users/{user}/widgets");
            let (_, page) = self.read(instance, &list).await;
            let (status, _) = self.read(instance, &format!("/widgets/{id}")).await;
            if item_of(&page, id).is_some() != present || (status == 200) != present {
                self.wrong(format!("{id}: {status}, {page}, present: {present}"));
            }
        }
    }

    async fn look(self: Arc<Self>) {
        while self.goes_on() {
            let number = rand::random_range(0..WIDGETS);
            match rand::random_range(0..20) {
                0 => self.check_list(self.instance(), LIST).await,
                1 => self.check_list(self.instance(), SEARCH).await,
                2 => drop(self.read(self.instance(), "/widgets/count").await),
                _ => self.check_widget(self.instance(), number).await,
            }
        }
    }

    /// What the cache says when all is quiet is what the database says.
    async fn check_against_database(&self) {
        let pool = self.cluster.database.pool().await;
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT id, name FROM widgets WHERE deleted_at IS NULL ORDER BY created_at DESC, id DESC",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        assert_eq!(rows.len(), WIDGETS);
        let listed: Vec<Value> = rows
            .iter()
            .map(|(id, name)| json!({"id": id, "name": name}))
            .collect();
        // The second round is answered from the cache.
        for instance in self.cluster.instances.iter().cycle().take(4) {
            for (id, name) in &rows {
                let (_, body) = self.read(instance, &format!("/widgets/{id}")).await;
                assert_eq!(body["name"], *name);
            }
            for path in [LIST, SEARCH] {
                let (_, page) = self.read(instance, path).await;
                let items: Vec<Value> = page["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| json!({"id": item["id"], "name": item["name"]}))
                    .collect();
                assert_eq!(items, listed, "{path}");
            }
            let (_, body) = self.read(instance, "/widgets/count").await;
            assert_eq!(body["count"], WIDGETS);
        }
    }
}

fn item_of(page: &Value, id: i64) -> Option<&Value> {
    page["data"]
        .as_array()?
        .iter()
        .find(|item| item["id"] == id)
}

async fn storm(backend: &str, instances: usize) {
    let storm = Storm::prepare(backend, instances).await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..CHANGERS {
        tasks.spawn(Arc::clone(&storm).change(writer));
    }
    for maker in 0..MAKERS {
        tasks.spawn(Arc::clone(&storm).make(format!("maker_{maker}")));
    }
    for _ in 0..READERS {
        tasks.spawn(Arc::clone(&storm).look());
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
        "storm on {backend}: {reads} reads ({hits} hits), {} writes, {} stale",
        storm.writes.load(Ordering::Relaxed),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(10)]);
    assert!(hits > 0, "a storm without hits proves nothing");
    storm.check_against_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c33_no_read_after_an_acknowledged_write_is_stale_in_a_storm_on_redis() {
    storm("redis", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c33_no_read_after_an_acknowledged_write_is_stale_in_a_storm_on_memcached() {
    storm("memcached", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c33_no_read_after_an_acknowledged_write_is_stale_in_a_storm_in_memory() {
    storm("memory", 1).await;
}
