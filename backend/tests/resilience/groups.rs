//! The cost of invalidating the pages of a list among many other keys (C36, C37): the same as among few.
//!
//! Come here after changing how a group ends. The test asserts that the pages are fresh, and prints the cost.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use backend::infrastructure::cache::{Cache, CacheOptions};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::cluster::Cluster;
use crate::figures::{Latencies, soaking};
use crate::support::server::{Kind, Server};

const PAGES: usize = 20;
const PAGE_SIZE: usize = 5;
const FEW: usize = 1000;
const ROUNDS: u64 = 10;
/// The number of keys in one command.
const BATCH: usize = 1000;

struct List {
    server: Server,
    cluster: Cluster,
    /// The library in this process, in the namespace of the service.
    cache: Cache,
    unrelated: usize,
    version: u64,
}

impl List {
    async fn prepare(kind: Kind) -> Self {
        let server = match kind {
            Kind::Redis => Server::start(kind),
            Kind::Memcached => Server::start_with(kind, &["-m", "1024"]),
        };
        let port = server.port.to_string();
        let environment = [
            ("CACHE_BACKEND", kind.name()),
            (kind.port_variable(), port.as_str()),
            ("LOG_LEVEL", "error,backend::startup=info"),
        ];
        let cluster = Cluster::start(1, &environment).await;
        cluster.first().new_user("ada").await;
        let widgets = PAGES * PAGE_SIZE;
        // Unrecorded: the database feed would end the pages while the test counts their hits.
        let insert = format!(
            "INSERT INTO widgets (owner_id, name)
             SELECT id, 'version 0' FROM users, generate_series(1, {widgets}) WHERE username = 'ada'"
        );
        cluster.database.change_unrecorded(&insert).await;
        let settings = CacheSettings {
            cache_backend: match kind {
                Kind::Redis => CacheBackendKind::Redis,
                Kind::Memcached => CacheBackendKind::Memcached,
            },
            cache_namespace: cluster.namespace.clone(),
            cache_redis_port: server.port,
            cache_memcached_port: server.port,
            // Opens the connections first: only the invalidation is measured.
            cache_redis_pool_size: 1,
            ..CacheSettings::default()
        };
        Self {
            cache: Cache::connect(&CacheOptions::from(&settings), true)
                .await
                .unwrap(),
            server,
            cluster,
            unrelated: 0,
            version: 0,
        }
    }

    /// Stores this many keys that do not belong to the list.
    fn fill(&mut self, keys: usize) {
        let namespace = &self.cluster.namespace;
        while self.unrelated < keys {
            let (first, last) = (self.unrelated, self.unrelated + BATCH - 1);
            match self.server.kind {
                Kind::Redis => {
                    let script = format!(
                        "for i = {first}, {last} do redis.call('SET', '{namespace}:unrelated:' .. i, 'x') end"
                    );
                    self.server.say(&format!("EVAL \"{script}\" 0"));
                }
                Kind::Memcached => {
                    let mut sets = String::new();
                    for number in first..=last {
                        let key = format!("{namespace}:unrelated:{number}");
                        let _ = write!(sets, "set {key} 0 0 1 noreply\r\nx\r\n");
                    }
                    assert_eq!(self.server.say(&format!("{sets}mn")), "MN");
                }
            }
            self.unrelated += BATCH;
        }
    }

    /// Reads all pages, each of which must have the version in the database. Returns the number of hits.
    async fn read_pages(&self) -> usize {
        let mut hits = 0;
        for page in 1..=PAGES {
            let path = format!("/users/ada/widgets?items_per_page={PAGE_SIZE}&page={page}");
            let answer = self.cluster.first().get(&path).await.expect(200);
            hits += usize::from(answer.is_hit());
            let items = answer.json()["data"].as_array().unwrap().clone();
            assert_eq!(items.len(), PAGE_SIZE);
            for item in items {
                assert_eq!(item["name"], format!("version {}", self.version), "{path}");
            }
        }
        hits
    }

    /// Changes all widgets in the database, runs `invalidate`, and checks that every page is fresh. Returns the time
    /// of the invalidation.
    async fn round(&mut self, invalidate: impl AsyncFnOnce(&Cache)) -> Duration {
        self.read_pages().await;
        assert_eq!(self.read_pages().await, PAGES, "all pages are cached");
        self.version += 1;
        let rename = format!("UPDATE widgets SET name = 'version {}'", self.version);
        self.cluster.database.change_unrecorded(&rename).await;
        let started = Instant::now();
        invalidate(&self.cache).await;
        let took = started.elapsed();
        assert_eq!(self.read_pages().await, 0, "no page is served from before");
        took
    }

    async fn invalidate_by_group(&mut self) -> Latencies {
        let mut latencies = Latencies::default();
        for round in 0..=ROUNDS {
            let invalidate =
                async |cache: &Cache| cache.invalidate_group("user_ada_widgets").await.unwrap();
            let took = self.round(invalidate).await;
            // The first invalidation opens a connection.
            if round > 0 {
                latencies.add(took);
            }
        }
        latencies
    }

    async fn invalidate_by_pattern(&mut self) -> Duration {
        let invalidate =
            async |cache: &Cache| cache.delete_pattern("user_ada_widgets:*").await.unwrap();
        self.round(invalidate).await
    }
}

async fn cost(kind: Kind) {
    let many = if soaking() { 1_000_000 } else { 100_000 };
    let mut list = List::prepare(kind).await;
    let name = kind.name();
    let mut medians = Vec::new();
    for unrelated in [FEW, many] {
        list.fill(unrelated);
        let latencies = list.invalidate_by_group().await;
        println!("{name}: {PAGES} pages as a group among {unrelated} keys: {latencies}");
        medians.push(latencies.quantile(0.5));
        if kind == Kind::Redis {
            let (first, second) = (
                list.invalidate_by_pattern().await,
                list.invalidate_by_pattern().await,
            );
            println!(
                "{name}: the same by pattern: {first:.1?} the first time, {second:.1?} the second"
            );
        }
    }
    let ratio = medians[1].as_secs_f64() / medians[0].as_secs_f64();
    println!("{name}: among {many} keys a group costs {ratio:.2} times what it costs among {FEW}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c36_all_pages_of_a_group_are_fresh_among_many_other_keys_on_redis() {
    cost(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c36_all_pages_of_a_group_are_fresh_among_many_other_keys_on_memcached() {
    cost(Kind::Memcached).await;
}
