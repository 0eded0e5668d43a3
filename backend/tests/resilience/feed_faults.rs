//! Faults of the passes of the database feed: rows of an unknown kind, too many rows, terminated passes (C54, C55).
//!
//! Come here for a fault of the database or of a pass. The feed without faults is in `feed`.

use std::time::{Duration, Instant};

use sqlx::{Postgres, Transaction};

use crate::cluster::Cluster;
use crate::feed::Site;
use crate::support::eventually;
use crate::support::proxy::Mode;
use crate::support::server::Kind;

/// The log says which writes wait, and when each is answered.
const WAITS_SHOWN: (&str, &str) = ("LOG_LEVEL", "info,infrastructure::database_feed=debug");

/// Records a change that ends nothing which a test reads. Returns the number of its row.
const INSERT_A_ROW: &str = "INSERT INTO cache_changes (kind, arguments)
    VALUES ('widget_owners', '{\"owner\": [\"ada\"]}') RETURNING id";

async fn a_change_of_an_unknown_kind(kind: Kind) {
    let site = Site::prepare(kind).await;
    site.warm(&site.path()).await;
    site.execute(
        "INSERT INTO cache_changes (kind, arguments) VALUES ('gadgets', '{\"id\": [\"7\"]}')",
    )
    .await;
    site.everything_is_delivered().await;
    assert!(!site.cluster.first().get(&site.path()).await.is_hit());
    let is_reported = |text: &str| {
        let mut instances = site.cluster.instances.iter();
        instances.any(|instance| {
            let mut lines = instance.log().into_iter();
            lines.any(|line| {
                line["level"] == "ERROR"
                    && line["kind"] == "gadgets"
                    && line.to_string().contains(text)
            })
        })
    };
    eventually("the unknown kind is reported", async || {
        is_reported("no module declares")
    })
    .await;
}

async fn a_change_that_lacks_an_argument(kind: Kind) {
    let site = Site::prepare(kind).await;
    site.warm(&site.path()).await;
    site.execute(
        "INSERT INTO cache_changes (kind, arguments) VALUES ('widgets', '{\"widget\": [\"7\"]}')",
    )
    .await;
    site.everything_is_delivered().await;
    assert!(!site.cluster.first().get(&site.path()).await.is_hit());
}

drills! {
    async fn c54_a_change_of_an_unknown_kind_is_reported_and_ends_everything_on_redis() = a_change_of_an_unknown_kind(Kind::Redis);
    async fn c54_a_change_of_an_unknown_kind_is_reported_and_ends_everything_on_memcached() = a_change_of_an_unknown_kind(Kind::Memcached);
    async fn c54_a_change_that_lacks_an_argument_ends_everything_on_redis() = a_change_that_lacks_an_argument(Kind::Redis);
    async fn c54_a_change_that_lacks_an_argument_ends_everything_on_memcached() = a_change_that_lacks_an_argument(Kind::Memcached);
}

async fn a_hundred_thousand_changes(kind: Kind) {
    let site = Site::prepare(kind).await;
    site.warm(&site.path()).await;
    let began = Instant::now();
    site.execute(
        "INSERT INTO widgets (owner_id, name) SELECT id, 'many' FROM users, generate_series(1, 100000);
         UPDATE widgets SET name = 'new' WHERE name = 'old'",
    )
    .await;
    let committed = began.elapsed();
    site.fits(&site.path(), "the last change is seen", |_, body| {
        body.contains("\"new\"")
    })
    .await;
    site.everything_is_delivered().await;
    println!(
        "{}: 100 000 changes recorded in {committed:.0?}, delivered after {:.0?}",
        kind.name(),
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c54_a_hundred_thousand_changes_are_delivered_on_redis() {
    a_hundred_thousand_changes(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c54_a_hundred_thousand_changes_are_delivered_on_memcached() {
    a_hundred_thousand_changes(Kind::Memcached).await;
}

/// An instance without a cache does not let the rows pile up, and loses none: one row that ends everything takes their
/// place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c53_rows_that_nobody_delivers_become_one_that_ends_everything() {
    let mut cluster = Cluster::start(1, &[("CACHE_ENABLED", "false")]).await;
    let pool = cluster.database.pool().await;
    cluster.first().new_user("ada").await;
    let many = "INSERT INTO widgets (owner_id, name) SELECT id, 'many' FROM users, generate_series(1, 60000)";
    sqlx::query(many).execute(&pool).await.unwrap();
    let rows = async || -> Vec<(String, bool)> {
        let rows = "SELECT kind, arguments IS NULL FROM cache_changes LIMIT 3";
        sqlx::query_as(rows).fetch_all(&pool).await.unwrap()
    };
    eventually("one row is left", async || {
        rows().await == [("everything".to_owned(), true)]
    })
    .await;
    // An instance with the feed delivers the one row.
    cluster.add(&[]).await;
    eventually("it is delivered", async || rows().await.is_empty()).await;
}

/// The rows of the transaction have smaller numbers than rows that are delivered before its commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c53_a_transaction_that_commits_late_is_delivered() {
    let site = Site::prepare(Kind::Redis).await;
    let other = site.cluster.first().new_widget(&site.token, "other").await;
    let mut late = site.pool.begin().await.unwrap();
    sqlx::query("UPDATE widgets SET name = 'late' WHERE id = $1")
        .bind(site.widget)
        .execute(&mut *late)
        .await
        .unwrap();
    for round in 0..5 {
        let name = format!("round {round}");
        site.execute(&format!(
            "UPDATE widgets SET name = '{name}' WHERE id = {other}"
        ))
        .await;
        site.fits(
            &format!("/widgets/{other}"),
            "later changes are seen",
            |_, body| body.contains(&name),
        )
        .await;
    }
    site.warm(&site.path()).await;
    late.commit().await.unwrap();
    site.fits(
        &site.path(),
        "the change of the late transaction is seen",
        |_, body| body.contains("\"late\""),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c54_a_pass_whose_connection_is_terminated_is_made_again() {
    let site = Site::prepare(Kind::Redis).await;
    site.warm(&site.path()).await;
    let held = hold_a_row(&site).await;
    site.execute("UPDATE widgets SET name = 'new'").await;
    let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM cache_changes%' AND datname = current_database()";
    eventually("passes wait for the row and are terminated", async || {
        let ended = sqlx::query_scalar::<_, i64>(terminate);
        ended.fetch_one(&site.pool).await.unwrap() > 0
    })
    .await;
    held.rollback().await.unwrap();
    site.fits(&site.path(), "the change is seen", |_, body| {
        body.contains("\"new\"")
    })
    .await;
    site.everything_is_delivered().await;
}

/// An instance that is frozen in its pass keeps its rows: the writes of other instances distrust everything and are
/// answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c54_a_write_whose_pass_cannot_end_distrusts_everything() {
    let site = Site::prepare(Kind::Redis).await;
    // The handler of the write does not know the widget that the trigger adds.
    site.execute(
        "CREATE FUNCTION add_widget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO widgets (owner_id, name) VALUES (NEW.id, 'added'); RETURN NULL; END $$;
         CREATE TRIGGER add_widget AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION add_widget()",
    )
    .await;
    site.warm("/widgets/count").await;
    let held = hold_a_row(&site).await;
    let change = serde_json::json!({"name": "Ada"});
    let service = site.cluster.first();
    let answer = service.patch(&site.token, "/users/ada", change).await;
    answer.expect(200);
    for instance in &site.cluster.instances {
        assert_eq!(instance.get("/widgets/count").await.json()["count"], 2);
    }
    assert!(site.undelivered().await > 0, "the pass has not ended");
    held.rollback().await.unwrap();
    site.everything_is_delivered().await;
}

/// Locks a row of the table, as an instance in the middle of its pass does.
pub async fn hold_a_row(site: &Site) -> Transaction<'static, Postgres> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < deadline, "no row could be locked");
        let id: i64 = sqlx::query_scalar(INSERT_A_ROW)
            .fetch_one(&site.pool)
            .await
            .unwrap();
        let mut held = site.pool.begin().await.unwrap();
        let locked = sqlx::query("SELECT id FROM cache_changes WHERE id = $1 FOR UPDATE");
        let rows = locked.bind(id).fetch_all(&mut *held).await.unwrap();
        if !rows.is_empty() {
            return held;
        }
        // A pass took the row first.
    }
}

/// Neither instance reaches the cache: no instance waits for the other, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c55_changes_during_an_outage_are_delivered_before_the_cache_is_trusted() {
    let mut site = Site::prepare(Kind::Redis).await;
    site.warm(&site.path()).await;
    let mut second = site.cluster.instances.remove(1);
    second.signal("TERM");
    second.wait().await;
    site.add_behind_proxy(&[]).await;
    site.warm(&site.path()).await;
    site.proxy.set(Mode::Refuse);
    for round in 0..10 {
        assert_eq!(site.rename(round % 2, &format!("round {round}")).await, 200);
    }
    site.execute("UPDATE widgets SET name = 'new'").await;
    assert_eq!(site.rename(0, "new").await, 200);
    assert!(site.undelivered().await > 0, "changes wait for the cache");
    site.proxy.set(Mode::Pass);
    for instance in &site.cluster.instances {
        eventually("there are hits again", async || {
            let answer = instance.get(&site.path()).await;
            assert_eq!(answer.json()["name"], "new");
            answer.is_hit()
        })
        .await;
    }
    site.everything_is_delivered().await;
}

/// No instance trusts the cache. The first second of the outage shows it; after that no write waits for another instance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c54_a_write_does_not_wait_while_no_instance_trusts_the_cache() {
    let mut site = Site::prepare(Kind::Redis).await;
    for mut instance in std::mem::take(&mut site.cluster.instances) {
        instance.signal("TERM");
        instance.wait().await;
        site.add_behind_proxy(&[WAITS_SHOWN]).await;
    }
    site.everything_is_delivered().await;
    site.proxy.set(Mode::Refuse);
    // Each instance inserts a row that ends nothing, and no instance removes it.
    let old = "SELECT count(*) FROM cache_changes WHERE kind = 'nothing' AND changed_at < now() - interval '2 seconds'";
    eventually("both have seen that no instance delivers", async || {
        let count: i64 = sqlx::query_scalar(old).fetch_one(&site.pool).await.unwrap();
        count > 0
    })
    .await;
    for round in 0..10 {
        assert_eq!(site.rename(round % 2, &format!("round {round}")).await, 200);
    }
    for instance in &site.cluster.instances {
        let lines = |field: &str, text: &str| {
            let lines = instance.log();
            lines.iter().filter(|line| line[field] == text).count()
        };
        eventually("its five writes are logged", async || {
            lines("method", "PATCH") == 5
        })
        .await;
        let waits = lines("message", "writes wait for another instance");
        assert!(
            waits < 5,
            "every write waited, although no instance delivers"
        );
    }
    // One instance trusts the cache again: the other one's writes wait for it, so no read after them is old.
    site.add_directly().await;
    let trusting = site.cluster.instances.len() - 1;
    site.everything_is_delivered().await;
    for round in 0..20 {
        eventually("the trusting instance has a hit", async || {
            site.cluster.instances[trusting]
                .get(&site.path())
                .await
                .is_hit()
        })
        .await;
        let name = format!("later {round}");
        assert_eq!(site.rename(0, &name).await, 200);
        let answer = site.cluster.instances[trusting].get(&site.path()).await;
        assert_eq!(answer.json()["name"], name.as_str(), "{answer:#?}");
    }
}
