//! Processes that are killed between their commit and their deletion, or in the middle of a pass (C53).
//!
//! Come here for a process that ends at a bad moment. Connections that end are in `feed_passes`.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::feed::Site;
use crate::feed_passes::{Halfway, stop_halfway};
use crate::figures::soaking;
use crate::support::eventually;
use crate::support::proxy::Mode;
use crate::support::server::Kind;

/// How long after the kill an answer may be from before.
const FRESH_AFTER: Duration = Duration::from_secs(2);
/// A killed instance is missed for a time that follows from this deadline, and each round waits for that.
const IMPATIENT: (&str, &str) = ("CACHE_OPERATION_TIMEOUT_MS", "300");
/// Each command to the cache takes this long, so that many kills come between a commit and its deletion.
const DELAY: Duration = Duration::from_millis(10);

/// The process is killed while its deletion is on the way to a server that does not answer.
async fn killed_between_commit_and_deletion(kind: Kind) {
    let mut site = Site::prepare(kind).await;
    site.warm(&site.path()).await;
    site.proxy.set(Mode::Stall);
    let change = json!({"name": "new"});
    let request = site
        .cluster
        .first()
        .api(Method::PATCH, &site.path(), &site.token);
    let sent = tokio::spawn(request.json(&change).send());
    eventually("the change is committed", async || {
        site.stored_name().await == "new"
    })
    .await;
    let mut victim = site.cluster.instances.remove(0);
    victim.signal("KILL");
    victim.wait().await;
    assert!(sent.await.unwrap().is_err(), "the write was not answered");
    let took = site
        .fits(&site.path(), "the other instance is fresh", |_, body| {
            body.contains("\"new\"")
        })
        .await;
    println!("{}: fresh {took:.0?} after the kill", kind.name());
    site.everything_is_delivered().await;
}

/// 200 times in the soak. The kill comes at any moment of the write, and somewhat later.
async fn killed_at_random_moments(kind: Kind) {
    let mut site = Site::prepare_with(kind, IMPATIENT).await;
    let rounds = if soaking() { 200 } else { 20 };
    let (mut undelivered, mut unchanged, mut slowest) = (0, 0, Duration::ZERO);
    let path = site.path();
    for round in 0..rounds {
        site.proxy.set(Mode::Pass);
        let victim = site.cluster.first();
        let began = Instant::now();
        assert_eq!(site.rename(0, &format!("before {round}")).await, 200);
        let takes = began.elapsed() + 6 * DELAY;
        site.warm(&path).await;
        site.proxy.set(Mode::Delay(DELAY));
        let request = victim.api(Method::PATCH, &path, &site.token);
        let name = format!("round {round}");
        let sent = tokio::spawn(request.json(&json!({"name": name})).send());
        // The moment of the kill, at random within the write.
        tokio::time::sleep(takes.mul_f64(rand::random_range(0.0..0.9))).await;
        let mut victim = site.cluster.instances.remove(0);
        victim.signal("KILL");
        let killed = Instant::now();
        let is_undelivered = site.undelivered().await > 0;
        victim.wait().await;
        let is_answered = sent.await.unwrap().is_ok();
        // A transaction of the killed process may still be committed: nothing is certain before its sessions have ended.
        site.everything_is_delivered().await;
        let stored = site.stored_name().await;
        assert!(stored == name || !is_answered, "an answered write is kept");
        let survivor = site.cluster.first();
        let deadline = killed + FRESH_AFTER;
        loop {
            let answer = survivor.get(&path).await.expect(200);
            if answer.json()["name"] == stored.as_str() {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "round {round}: {answer:#?} although {stored} is stored"
            );
            // The pace of the reads until the deadline.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        slowest = slowest.max(killed.elapsed());
        undelivered += u32::from(is_undelivered && stored == name);
        unchanged += u32::from(stored != name);
        site.add_behind_proxy(&[IMPATIENT]).await;
        site.cluster.instances.swap(0, 1);
    }
    println!(
        "{}: {rounds} kills, {unchanged} before the commit, {undelivered} between commit and deletion, \
         the last answer from before within {slowest:.0?}",
        kind.name()
    );
    assert!(
        undelivered > 0 || !soaking(),
        "no kill came between commit and deletion"
    );
}

/// The cache has done the deletions of the pass. Their confirmation, and so the removal of the rows, never comes.
async fn killed_halfway_through_a_pass(kind: Kind) {
    let mut site = Site::prepare(kind).await;
    let Halfway { survivor, .. } = stop_halfway(&site).await;
    let mut victim = site.cluster.instances.remove(0);
    victim.signal("KILL");
    victim.wait().await;
    assert!(
        site.undelivered().await > 0,
        "the rows of the pass are kept"
    );
    survivor.go_on(&site);
    site.everything_is_delivered().await;
    site.fits(&site.path(), "the change is seen", |_, body| {
        body.contains("\"new\"")
    })
    .await;
}

drills! {
    async fn c53_a_process_killed_between_commit_and_deletion_leaves_nothing_stale_on_redis() = killed_between_commit_and_deletion(Kind::Redis);
    async fn c53_a_process_killed_between_commit_and_deletion_leaves_nothing_stale_on_memcached() = killed_between_commit_and_deletion(Kind::Memcached);
    async fn c53_processes_killed_at_random_moments_leave_nothing_stale_on_redis() = killed_at_random_moments(Kind::Redis);
    async fn c53_processes_killed_at_random_moments_leave_nothing_stale_on_memcached() = killed_at_random_moments(Kind::Memcached);
    async fn c54_a_pass_that_is_killed_halfway_is_made_again_on_redis() = killed_halfway_through_a_pass(Kind::Redis);
    async fn c54_a_pass_that_is_killed_halfway_is_made_again_on_memcached() = killed_halfway_through_a_pass(Kind::Memcached);
}
