//! Outages of the database and of the cache around a write, transactions that stay open, and wrong clocks (C53–C55).
//!
//! Come here for a server that is unavailable while changes are delivered. Passes that are interrupted are in `feed_passes`.

use std::time::{Duration, Instant};

use crate::feed::Site;
use crate::feed_faults::hold_a_row;
use crate::figures::soaking;
use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::Kind;
use crate::support::shifted_clock::ShiftedClock;

/// Longer than every deadline of the feed: that of a write, of a pass and of a recovery.
const OPEN: Duration = Duration::from_secs(5);
const OPEN_IN_SOAK: Duration = Duration::from_mins(1);

/// A write that is committed before its changes can be delivered; then `fails` begins. Returns whether the write was
/// acknowledged: the failure may also take the database's answer to the commit; then the service cannot know of it, and says 503.
async fn write_before(site: &Site, fails: impl FnOnce()) -> bool {
    let held = hold_a_row(site).await;
    let write = async {
        let status = site.rename(0, "new").await;
        assert!(
            matches!(status, 200 | 503),
            "a committed write is answered: {status}"
        );
        status == 200
    };
    let failure = async {
        eventually("the change is committed", async || {
            site.stored_name().await == "new"
        })
        .await;
        fails();
        held.rollback().await.unwrap();
    };
    tokio::join!(write, failure).0
}

/// Reads once through each instance: an error, or the new name.
async fn nothing_is_stale(site: &Site) {
    for instance in &site.cluster.instances {
        let answer = instance.get(&site.path()).await;
        let is_right = answer.status == 503 || answer.json()["name"] == "new";
        assert!(is_right, "{answer:#?}");
    }
}

async fn hits_return(site: &Site) {
    for instance in &site.cluster.instances {
        eventually("there are hits again", async || {
            let answer = instance.get(&site.path()).await;
            assert!(
                answer.status == 503 || answer.json()["name"] == "new",
                "{answer:#?}"
            );
            answer.is_hit()
        })
        .await;
    }
    site.everything_is_delivered().await;
}

/// Entries stand while the database is unavailable, so hits are possible; none may be from before the write.
async fn without_the_database(kind: Kind, mode: Mode) {
    let mut site = Site::prepare(kind).await;
    let database = site.put_both_behind_proxies().await;
    site.warm(&site.path()).await;
    let is_acknowledged = write_before(&site, || database.set(mode)).await;
    if is_acknowledged {
        for _ in 0..3 {
            nothing_is_stale(&site).await;
        }
    }
    database.set(Mode::Pass);
    if !is_acknowledged {
        the_change_is_delivered(&site).await;
    }
    hits_return(&site).await;
}

/// The client of a write that was answered with 503 knows of no success, so its change is like one by hand: delivered once the
/// database is back (C53), and not before.
async fn the_change_is_delivered(site: &Site) {
    for instance in &site.cluster.instances {
        eventually("the change is delivered", async || {
            let answer = instance.get(&site.path()).await;
            answer.status == 200 && answer.json()["name"] == "new"
        })
        .await;
    }
}

async fn without_both(kind: Kind, returns_first: impl Fn(&Proxy, &Proxy)) {
    let mut site = Site::prepare(kind).await;
    let database = site.put_both_behind_proxies().await;
    site.warm(&site.path()).await;
    let is_acknowledged = write_before(&site, || {
        database.set(Mode::Refuse);
        site.proxy.set(Mode::Refuse);
    })
    .await;
    if is_acknowledged {
        nothing_is_stale(&site).await;
    }
    returns_first(&database, &site.proxy);
    for _ in 0..20 {
        if is_acknowledged {
            nothing_is_stale(&site).await;
        }
        // The pace of the reads during the fault.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    database.set(Mode::Pass);
    site.proxy.set(Mode::Pass);
    if !is_acknowledged {
        the_change_is_delivered(&site).await;
    }
    hits_return(&site).await;
}

/// Its rows have smaller numbers than those of many writes that are answered while it is open. A minute in the soak.
async fn a_transaction_that_stays_open(kind: Kind) {
    let site = Site::prepare(kind).await;
    let other = site.cluster.first().new_widget(&site.token, "other").await;
    let other = format!("/widgets/{other}");
    site.warm(&site.path()).await;
    let mut open = site.pool.begin().await.unwrap();
    sqlx::query("UPDATE widgets SET name = 'new' WHERE id = $1")
        .bind(site.widget)
        .execute(&mut *open)
        .await
        .unwrap();
    let (began, mut number) = (Instant::now(), 0);
    while began.elapsed() < if soaking() { OPEN_IN_SOAK } else { OPEN } {
        let name = format!("write {number}");
        let writer = &site.cluster.instances[number % 2];
        let change = serde_json::json!({"name": name});
        let answer = writer.patch(&site.token, &other, change).await;
        answer.expect(200);
        for instance in &site.cluster.instances {
            let answer = instance.get(&other).await.expect(200);
            assert_eq!(answer.json()["name"], name.as_str(), "{answer:#?}");
        }
        number += 1;
        // The pace of the load.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for instance in &site.cluster.instances {
        let answer = instance.get(&site.path()).await;
        assert_eq!(answer.json()["name"], "old", "nothing was committed");
    }
    site.warm(&site.path()).await;
    open.commit().await.unwrap();
    let took = site
        .fits(&site.path(), "the change is seen", |_, body| {
            body.contains("\"new\"")
        })
        .await;
    println!(
        "{}: {number} writes beside a transaction of {:.0?}, which is seen {took:.0?} after its commit",
        kind.name(),
        began.elapsed()
    );
    site.everything_is_delivered().await;
}

/// The clock of the second instance is an hour ahead, or behind. Delivery and recovery do not look at it.
async fn clocks_an_hour_apart(kind: Kind, shift: &str) {
    let clock = ShiftedClock::build();
    let mut site = Site::prepare(kind).await;
    let mut right = site.cluster.instances.remove(1);
    right.signal("TERM");
    right.wait().await;
    let library = clock.library();
    let library = library.to_str().unwrap();
    site.add_directly_with(&[("LD_PRELOAD", library), ("TEST_CLOCK_SHIFT", shift)])
        .await;
    let time = |line: &serde_json::Value| line["timestamp"].as_str().unwrap().to_owned();
    let times: Vec<String> = site
        .cluster
        .instances
        .iter()
        .map(|instance| time(&instance.log()[0]))
        .collect();
    assert_ne!(
        times[0][11..13],
        times[1][11..13],
        "the clocks are apart: {times:?}"
    );
    let path = site.path();
    for round in 0..20 {
        for instance in &site.cluster.instances {
            // An entry that the other one stored may seem to have expired: no hit is waited for.
            instance.get(&path).await.expect(200);
            instance.get(&path).await.expect(200);
        }
        let name = format!("round {round}");
        assert_eq!(site.rename(round % 2, &name).await, 200);
        for instance in &site.cluster.instances {
            let answer = instance.get(&path).await.expect(200);
            assert_eq!(answer.json()["name"], name.as_str(), "{answer:#?}");
        }
    }
    site.execute("UPDATE widgets SET name = 'new'").await;
    let is_new = |_: u16, body: &str| body.contains("\"new\"");
    site.fits(&path, "the change by hand is seen", is_new).await;
    site.everything_is_delivered().await;
    // An outage of the first instance, whose deletions the second one delivers.
    site.proxy.set(Mode::Refuse);
    for round in 0..5 {
        let name = format!("outage {round}");
        assert_eq!(site.rename(0, &name).await, 200);
        let answer = site.cluster.instances[1].get(&path).await.expect(200);
        assert_eq!(answer.json()["name"], name.as_str(), "{answer:#?}");
    }
    site.execute("UPDATE widgets SET name = 'new'").await;
    site.proxy.set(Mode::Pass);
    eventually("the first instance has hits again", async || {
        let first = site.cluster.first();
        // Each read may store what the other instance takes for expired.
        first.get(&path).await.expect(200);
        first.get(&path).await.is_hit()
    })
    .await;
    site.fits(&path, "nothing is stale", is_new).await;
}

drills! {
    async fn c54_a_write_before_the_database_is_lost_leaves_nothing_stale_on_redis() = without_the_database(Kind::Redis, Mode::Refuse);
    async fn c54_a_write_before_the_database_is_lost_leaves_nothing_stale_on_memcached() = without_the_database(Kind::Memcached, Mode::Refuse);
    async fn c54_a_write_before_the_database_falls_silent_leaves_nothing_stale_on_redis() = without_the_database(Kind::Redis, Mode::Stall);
    async fn c54_a_write_before_the_database_falls_silent_leaves_nothing_stale_on_memcached() = without_the_database(Kind::Memcached, Mode::Stall);
    async fn c55_without_database_and_cache_nothing_is_stale_when_the_database_returns_first_on_redis() = without_both(Kind::Redis, |database, _| database.set(Mode::Pass));
    async fn c55_without_database_and_cache_nothing_is_stale_when_the_database_returns_first_on_memcached() = without_both(Kind::Memcached, |database, _| database.set(Mode::Pass));
    async fn c55_without_database_and_cache_nothing_is_stale_when_the_cache_returns_first_on_redis() = without_both(Kind::Redis, |_, cache| cache.set(Mode::Pass));
    async fn c55_without_database_and_cache_nothing_is_stale_when_the_cache_returns_first_on_memcached() = without_both(Kind::Memcached, |_, cache| cache.set(Mode::Pass));
    async fn c53_writes_are_delivered_beside_a_transaction_that_stays_open_on_redis() = a_transaction_that_stays_open(Kind::Redis);
    async fn c53_writes_are_delivered_beside_a_transaction_that_stays_open_on_memcached() = a_transaction_that_stays_open(Kind::Memcached);
    async fn c55_clocks_an_hour_apart_make_nothing_stale_on_redis() = clocks_an_hour_apart(Kind::Redis, "3600");
    async fn c55_clocks_an_hour_apart_make_nothing_stale_on_memcached() = clocks_an_hour_apart(Kind::Memcached, "-3600");
}
