//! The stampede (C34): many requests read an absent key at once. All are answered, even if the request that runs the
//! handler fails, is killed or loses its client.
//!
//! A lock on the table makes the handler slow.
//!
//! Come here after changing how requests wait for one run. The same without processes is in
//! `tests/cache/lookup/single_flight.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Executor, PgPool, Postgres, Transaction};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, Outcome, read};
use crate::history::NEAR;
use crate::support::answer::Answer;
use crate::support::eventually;
use crate::support::proxy::Proxy;
use crate::support::service::Service;

/// The duration of the handler.
const HANDLER: Duration = Duration::from_millis(300);
const CROWD: usize = 200;
/// The most runs of the handler: one in each process.
const RUNS: usize = 2;

struct Stampede {
    cluster: Arc<Cluster>,
    pool: PgPool,
    path: String,
    key: String,
}

impl Stampede {
    async fn prepare(backend: &str) -> Self {
        Self::prepare_with(&[("CACHE_BACKEND", backend)]).await
    }

    async fn prepare_with(environment: &[(&str, &str)]) -> Self {
        let cluster = Cluster::start(2, environment).await;
        Self::around(cluster).await
    }

    /// Adds a widget that has not been read.
    async fn around(cluster: Cluster) -> Self {
        let ada = cluster.first().new_user("ada").await;
        let id = cluster.first().new_widget(&ada, "cog").await;
        Self {
            pool: cluster.database.pool().await,
            cluster: Arc::new(cluster),
            path: format!("/widgets/{id}"),
            key: format!("widget:{id}"),
        }
    }

    /// Makes every handler wait until the lock is released.
    async fn lock(&self) -> Transaction<'static, Postgres> {
        let mut lock = self.pool.begin().await.unwrap();
        let statement = "LOCK TABLE widgets IN ACCESS EXCLUSIVE MODE";
        lock.execute(statement).await.unwrap();
        lock
    }

    /// Releases the lock after the duration of the handler.
    async fn unlock(&self, lock: Transaction<'static, Postgres>) {
        // A handler that takes this long is the case.
        tokio::time::sleep(HANDLER).await;
        lock.commit().await.unwrap();
    }

    /// The database's processes that wait for the lock.
    async fn waiting(&self) -> Vec<i32> {
        let statement = "SELECT pid FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let rows = sqlx::query_scalar(statement).fetch_all(&self.pool).await;
        rows.unwrap()
    }

    async fn wait_for_leader(&self) {
        eventually("a handler waits for the lock", async || {
            !self.waiting().await.is_empty()
        })
        .await;
    }

    /// Sends requests to these instances in turn, all at once.
    fn crowd(&self, instances: &[usize], size: usize) -> JoinSet<(Outcome, Duration)> {
        let mut crowd = JoinSet::new();
        for number in 0..size {
            let cluster = Arc::clone(&self.cluster);
            let instance = instances[number % instances.len()];
            let path = self.path.clone();
            crowd.spawn(async move { read(&cluster.instances[instance], &path).await });
        }
        crowd
    }

    /// The number of runs of the handler, from the access logs of the instances.
    fn runs(&self) -> usize {
        let lines = self.cluster.instances.iter().flat_map(Service::log);
        lines
            .filter(|line| line["cache_key"] == self.key && line["method"] == "GET")
            .map(|line| line["cache"].as_str().unwrap_or_default().to_owned())
            .filter(|cache| !cache.contains("hit") && !cache.contains("collapsed"))
            .count()
    }

    /// The number of requests in the access logs.
    fn logged(&self) -> usize {
        let lines = self.cluster.instances.iter().flat_map(Service::log);
        lines
            .filter(|line| line["cache_key"] == self.key && line["method"] == "GET")
            .count()
    }
}

/// The answers of a crowd. Fails unless each came in time.
async fn answers(name: &str, mut crowd: JoinSet<(Outcome, Duration)>) -> Vec<Answer> {
    let started = Instant::now();
    let mut answers = Vec::new();
    let mut slowest = Duration::ZERO;
    while let Some(answered) = crowd.join_next().await {
        let (outcome, latency) = answered.unwrap();
        slowest = slowest.max(latency);
        answers.push(outcome.unwrap());
    }
    println!(
        "{name}: {} answers, the slowest after {slowest:.0?}, the last {:.0?} after the release",
        answers.len(),
        started.elapsed()
    );
    answers
}

async fn one_run_serves_all(environment: &[(&str, &str)]) {
    let stampede = Stampede::prepare_with(environment).await;
    let lock = stampede.lock().await;
    let crowd = stampede.crowd(&[0, 1], CROWD);
    stampede.wait_for_leader().await;
    stampede.unlock(lock).await;
    let name = format!("stampede with {environment:?}");
    for answer in answers(&name, crowd).await {
        assert_eq!(answer.expect(200).json()["name"], "cog");
    }
    eventually("all requests are logged", async || {
        stampede.logged() == CROWD
    })
    .await;
    let runs = stampede.runs();
    println!("{name}: the handler ran {runs} times");
    assert!(runs <= RUNS, "{runs} runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c34_two_hundred_readers_of_an_absent_key_run_the_handler_at_most_twice_on_redis() {
    one_run_serves_all(&[("CACHE_BACKEND", "redis")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c34_two_hundred_readers_of_an_absent_key_run_the_handler_at_most_twice_on_memcached() {
    one_run_serves_all(&[("CACHE_BACKEND", "memcached")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c34_two_hundred_readers_of_an_absent_key_run_the_handler_at_most_twice_with_near_caches() {
    one_run_serves_all(&[NEAR]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c34_a_leader_whose_client_is_gone_still_serves_the_others() {
    let stampede = Stampede::prepare("redis").await;
    let lock = stampede.lock().await;
    let address = stampede.cluster.first().address();
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /api/v1{} HTTP/1.1\r\nHost: test\r\n\r\n",
        stampede.path
    );
    client.write_all(request.as_bytes()).await.unwrap();
    stampede.wait_for_leader().await;
    client.set_zero_linger().unwrap();
    drop(client);
    let crowd = stampede.crowd(&[0, 1], 50);
    stampede.unlock(lock).await;
    for answer in answers("leader without a client", crowd).await {
        answer.expect(200);
    }
    assert!(stampede.runs() <= RUNS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c34_a_leader_that_is_killed_costs_the_others_no_more_than_one_wait() {
    for backend in ["redis", "memcached"] {
        let stampede = Stampede::prepare(backend).await;
        let lock = stampede.lock().await;
        let mut leader = stampede.crowd(&[0], 1);
        stampede.wait_for_leader().await;
        let crowd = stampede.crowd(&[1], 50);
        stampede.cluster.first().signal("KILL");
        assert!(leader.join_next().await.unwrap().unwrap().0.is_err());
        stampede.unlock(lock).await;
        let name = format!("leader killed, on {backend}");
        for answer in answers(&name, crowd).await {
            answer.expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c34_a_leader_whose_statement_fails_fails_alone() {
    let stampede = Stampede::prepare("redis").await;
    let lock = stampede.lock().await;
    let mut leader = stampede.crowd(&[0], 1);
    stampede.wait_for_leader().await;
    let crowd = stampede.crowd(&[0, 1], 50);
    for process in stampede.waiting().await.into_iter().take(1) {
        let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(process);
        cancel.execute(&stampede.pool).await.unwrap();
    }
    let failed = leader.join_next().await.unwrap().unwrap().0.unwrap();
    assert!(failed.status >= 500, "{failed:?}");
    stampede.unlock(lock).await;
    for answer in answers("leader's statement failed", crowd).await {
        answer.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c34_a_leader_that_loses_its_database_leaves_no_request_waiting() {
    let mut cluster = Cluster::start(0, &[]).await;
    let url = reqwest::Url::parse(&cluster.database.url()).unwrap();
    let proxy = Proxy::start(url.port().unwrap()).await;
    let through_proxy = cluster.database.url_through(Some(proxy.port));
    cluster.add_on(&through_proxy, &[]).await;
    cluster.add(&[]).await;
    let stampede = Stampede::around(cluster).await;
    let lock = stampede.lock().await;
    let mut leader = stampede.crowd(&[0], 1);
    stampede.wait_for_leader().await;
    let (same, other) = (stampede.crowd(&[0], 50), stampede.crowd(&[1], 50));
    proxy.kill_connections();
    let failed = leader.join_next().await.unwrap().unwrap().0.unwrap();
    assert_eq!(failed.status, 503);
    stampede.unlock(lock).await;
    for answer in answers("leader's database gone, the other instance", other).await {
        answer.expect(200);
    }
    // Requests on connections that the proxy closed get a 503.
    for answer in answers("leader's database gone, the same instance", same).await {
        assert!([200, 503].contains(&answer.status), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c34_an_answer_that_may_not_be_stored_leaves_no_request_waiting() {
    for backend in ["redis", "memcached"] {
        let mut stampede = Stampede::prepare(backend).await;
        "/widgets/999999".clone_into(&mut stampede.path);
        let lock = stampede.lock().await;
        let crowd = stampede.crowd(&[0, 1], CROWD);
        stampede.wait_for_leader().await;
        stampede.unlock(lock).await;
        let name = format!("stampede for a 404 on {backend}");
        for answer in answers(&name, crowd).await {
            answer.expect(404);
        }
    }
}
