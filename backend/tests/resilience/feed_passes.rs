//! Passes that meet, that lose their connection, and that have much to deliver (C54).
//!
//! Come here for two passes at once or one that is interrupted. Killed processes are in `feed_kills`; rows that no pass
//! understands are in `feed_faults`.

use std::time::Instant;

use crate::feed::Site;
use crate::feed_faults::hold_a_row;
use crate::support::eventually;
use crate::support::proxy::Mode;
use crate::support::server::Kind;
use crate::support::service::Service;

/// Sessions of passes that have taken their rows and not committed yet.
const HALFWAY: &str = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'
    AND query LIKE 'DELETE FROM cache_changes%' AND datname = current_database()";
/// What an instance may need for a hundred thousand changes, far below their size.
const FLAT: u64 = 32 << 20;

/// An instance that is stopped by a signal so that it takes no rows: its place in the site.
pub struct Stopped(usize);

impl Stopped {
    /// Lets it go on. After a kill of the instances before it, it is the last one of the site.
    pub fn go_on(self, site: &Site) {
        let place = self.0.min(site.cluster.instances.len() - 1);
        site.cluster.instances[place].signal("CONT");
    }
}

/// A pass of the first instance that has taken its rows and waits for the cache.
pub struct Halfway {
    pub survivor: Stopped,
    /// The session of the pass.
    pub session: i32,
}

/// Renames the widget to `new`, and holds the pass of the first instance after its deletions, before it learns of their
/// success.
pub async fn stop_halfway(site: &Site) -> Halfway {
    site.everything_is_delivered().await;
    site.warm(&site.path()).await;
    site.cluster.instances[1].signal("STOP");
    site.proxy.set(Mode::HoldAnswers);
    site.execute("UPDATE widgets SET name = 'new'").await;
    let deadline = Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let halfway = sqlx::query_scalar::<_, i32>(HALFWAY);
        if let Some(session) = halfway.fetch_optional(&site.pool).await.unwrap() {
            return Halfway {
                survivor: Stopped(1),
                session,
            };
        }
        assert!(Instant::now() < deadline, "no pass was held");
    }
}

async fn terminated_halfway(kind: Kind) {
    let site = Site::prepare(kind).await;
    let Halfway { survivor, session } = stop_halfway(&site).await;
    let terminate = sqlx::query_scalar::<_, bool>("SELECT pg_terminate_backend($1)").bind(session);
    assert!(terminate.fetch_one(&site.pool).await.unwrap());
    eventually("its session has ended", async || {
        let halfway = sqlx::query_scalar::<_, i32>(HALFWAY);
        halfway.fetch_all(&site.pool).await.unwrap() != [session]
    })
    .await;
    assert!(
        site.undelivered().await > 0,
        "the rows of the pass are kept"
    );
    site.proxy.set(Mode::Pass);
    survivor.go_on(&site);
    site.everything_is_delivered().await;
    site.fits(&site.path(), "the change is seen", |_, body| {
        body.contains("\"new\"")
    })
    .await;
}

/// Both passes want the same rows. The second one waits for the first: with `SKIP LOCKED` its write would be answered
/// before the entry is gone.
async fn two_in_the_same_pass(kind: Kind) {
    let site = Site::prepare(kind).await;
    let other = site.cluster.first().new_widget(&site.token, "other").await;
    let other = format!("/widgets/{other}");
    for round in 0..10 {
        let paths = [site.path(), other.clone()];
        for path in &paths {
            site.warm(path).await;
        }
        let held = hold_a_row(&site).await;
        site.passes_wait(2).await;
        let name = format!("round {round}");
        let write = async |instance: usize| {
            let service = &site.cluster.instances[instance];
            let change = serde_json::json!({"name": name});
            let answer = service.patch(&site.token, &paths[instance], change).await;
            answer.expect(200);
            // Every instance, as soon as the write is answered.
            for reader in &site.cluster.instances {
                let answer = reader.get(&paths[instance]).await.expect(200);
                assert_eq!(answer.json()["name"], name.as_str(), "{answer:#?}");
            }
        };
        let release = async {
            eventually("both writes are committed", async || {
                let changed =
                    sqlx::query_scalar::<_, i64>("SELECT count(*) FROM widgets WHERE name = $1");
                changed.bind(&name).fetch_one(&site.pool).await.unwrap() == 2
            })
            .await;
            held.rollback().await.unwrap();
        };
        tokio::join!(write(0), write(1), release);
        site.everything_is_delivered().await;
    }
}

/// The memory of an instance does not grow with the number of changes.
async fn a_hundred_thousand_changes(kind: Kind) {
    let site = Site::prepare(kind).await;
    site.warm(&site.path()).await;
    // The first passes are made of the same size, so that pools and buffers have theirs.
    let many = "INSERT INTO cache_changes (kind, arguments)
        SELECT 'widgets', jsonb_build_object('widget_id', jsonb_build_array(number::text), 'owner', '[\"ada\"]'::jsonb)
        FROM generate_series(1000, 999 + $NUMBER) AS number";
    site.execute(&many.replace("$NUMBER", "5000")).await;
    site.everything_is_delivered().await;
    let peaks = |site: &Site| -> Vec<u64> {
        let instances = site.cluster.instances.iter();
        instances.map(Service::peak_memory).collect()
    };
    for instance in &site.cluster.instances {
        instance.forget_peak();
    }
    let before = peaks(&site);
    let began = Instant::now();
    site.execute(&format!(
        "{}; UPDATE widgets SET name = 'new'",
        many.replace("$NUMBER", "100000")
    ))
    .await;
    site.fits(&site.path(), "the last change is seen", |_, body| {
        body.contains("\"new\"")
    })
    .await;
    site.everything_is_delivered().await;
    let grown: Vec<u64> = peaks(&site)
        .into_iter()
        .zip(before)
        .map(|(peak, before)| peak.saturating_sub(before))
        .collect();
    println!(
        "{}: 100 000 changes after {:.0?}, the instances grew by {grown:?} bytes",
        kind.name(),
        began.elapsed()
    );
    assert!(grown.iter().all(|bytes| *bytes < FLAT), "{grown:?}");
}

drills! {
    async fn c54_a_pass_that_is_terminated_halfway_is_made_again_on_redis() = terminated_halfway(Kind::Redis);
    async fn c54_a_pass_that_is_terminated_halfway_is_made_again_on_memcached() = terminated_halfway(Kind::Memcached);
    async fn c54_two_instances_in_the_same_pass_answer_after_the_deletion_on_redis() = two_in_the_same_pass(Kind::Redis);
    async fn c54_two_instances_in_the_same_pass_answer_after_the_deletion_on_memcached() = two_in_the_same_pass(Kind::Memcached);
    async fn c54_a_hundred_thousand_changes_need_no_more_memory_on_redis() = a_hundred_thousand_changes(Kind::Redis);
    async fn c54_a_hundred_thousand_changes_need_no_more_memory_on_memcached() = a_hundred_thousand_changes(Kind::Memcached);
}
