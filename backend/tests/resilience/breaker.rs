//! The cost of a request while the breaker is open (C27): the same as without a cache.
//!
//! Come here after changing the breaker. The test asserts that requests bypass the cache, and prints their cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::cluster::{Cluster, read};
use crate::figures::{Latencies, soaking};
use crate::support::eventually;
use crate::support::server::free_port;

const READERS: usize = 8;
const ROUNDS: usize = 4;

/// The latencies of reads of one widget on an instance under load.
async fn load(cluster: &Arc<Cluster>, instance: usize, path: &str) -> Vec<Duration> {
    let ends = Instant::now() + Duration::from_millis(if soaking() { 2000 } else { 250 });
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let (cluster, path) = (Arc::clone(cluster), path.to_owned());
        readers.spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < ends {
                let (outcome, latency) = read(&cluster.instances[instance], &path).await;
                let status = outcome.unwrap().expect(200);
                assert!(status.header("cache-status").contains("fwd=bypass"));
                latencies.push(latency);
            }
            latencies
        });
    }
    readers.join_all().await.concat()
}

async fn compare(backend: &str, port_variable: &str) {
    let closed_port = free_port().to_string();
    let quiet = ("LOG_LEVEL", "error,backend::startup=info");
    let unreachable = [
        quiet,
        ("CACHE_BACKEND", backend),
        (port_variable, closed_port.as_str()),
    ];
    let mut cluster = Cluster::start(1, &unreachable).await;
    cluster.add(&[quiet, ("CACHE_ENABLED", "false")]).await;
    let ada = cluster.first().new_user("ada").await;
    let id = cluster.first().new_widget(&ada, "cog").await;
    let path = format!("/widgets/{id}");
    let cluster = Arc::new(cluster);
    eventually("the breaker is open", async || {
        let (outcome, _) = read(cluster.first(), &path).await;
        outcome.is_ok_and(|answer| answer.header("cache-status").contains("unavailable"))
    })
    .await;
    // In turns, so that other load on the machine affects both.
    let mut both = [Latencies::default(), Latencies::default()];
    for _ in 0..ROUNDS {
        for (instance, latencies) in both.iter_mut().enumerate() {
            for latency in load(&cluster, instance, &path).await {
                latencies.add(latency);
            }
        }
    }
    println!("{backend} unavailable, breaker open: {}", both[0]);
    println!("CACHE_ENABLED=false: {}", both[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c27_with_the_breaker_open_requests_go_straight_to_the_handler_on_redis() {
    compare("redis", "CACHE_REDIS_PORT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c27_with_the_breaker_open_requests_go_straight_to_the_handler_on_memcached() {
    compare("memcached", "CACHE_MEMCACHED_PORT").await;
}
