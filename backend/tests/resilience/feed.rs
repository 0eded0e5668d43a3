//! The database feed with real processes: changes by hand, writes, instances without a connection (C53, C54).
//!
//! Come here for the feed in normal operation, and for the site of its tests. Killed processes are in `feed_kills`, faults of
//! passes in `feed_faults` and `feed_passes`, outages in `feed_outages`.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

use crate::cluster::Cluster;
use crate::figures::soaking;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::{Kind, Server};
use crate::support::{eventually, variable};

const QUIET: (&str, &str) = ("LOG_LEVEL", "warn,backend::startup=info");
const FEED: (&str, &str) = ("CACHE_DATABASE_FEED", "true");
/// Long deadlines: a busy machine is no outage.
const PATIENT: (&str, &str) = ("CACHE_OPERATION_TIMEOUT_MS", "2000");

/// Two instances with a feed: the first reaches the cache server through a proxy, the second directly.
pub struct Site {
    pub proxy: Proxy,
    pub cluster: Cluster,
    pub pool: PgPool,
    pub token: String,
    pub widget: i64,
    pub kind: Kind,
    patience: (&'static str, &'static str),
    // Dropped last.
    server: Server,
}

impl Site {
    pub async fn prepare(kind: Kind) -> Self {
        Self::prepare_with(kind, PATIENT).await
    }

    /// A site whose instances have these deadlines.
    pub async fn prepare_with(kind: Kind, patience: (&'static str, &'static str)) -> Self {
        let server = Server::start(kind);
        let proxy = Proxy::start(server.port).await;
        let cluster = Cluster::start(0, &[]).await;
        let pool = cluster.database.pool().await;
        let mut site = Self {
            proxy,
            cluster,
            pool,
            token: String::new(),
            widget: 0,
            kind,
            patience,
            server,
        };
        site.add_behind_proxy(&[patience]).await;
        site.add_directly().await;
        site.token = site.cluster.first().new_user("ada").await;
        site.widget = site.cluster.first().new_widget(&site.token, "old").await;
        site
    }

    pub async fn add_behind_proxy(&mut self, more: &[(&str, &str)]) {
        self.add(None, self.proxy.port, more).await;
    }

    pub async fn add_directly(&mut self) {
        self.add_directly_with(&[]).await;
    }

    pub async fn add_directly_with(&mut self, more: &[(&str, &str)]) {
        let more = [&[self.patience], more].concat();
        self.add(None, self.server.port, &more).await;
    }

    /// Replaces both instances by two that reach the cache through the proxy, and the database through another proxy.
    pub async fn put_both_behind_proxies(&mut self) -> Proxy {
        let url = reqwest::Url::parse(&variable("TEST_DATABASE_URL")).unwrap();
        let database = Proxy::start(url.port().unwrap()).await;
        for mut instance in std::mem::take(&mut self.cluster.instances) {
            instance.signal("TERM");
            instance.wait().await;
        }
        for _ in 0..2 {
            self.add(Some(database.port), self.proxy.port, &[]).await;
        }
        database
    }

    async fn add(&mut self, database: Option<u16>, port: u16, more: &[(&str, &str)]) {
        let port = port.to_string();
        let own = [
            QUIET,
            FEED,
            ("CACHE_BACKEND", self.kind.name()),
            (self.kind.port_variable(), port.as_str()),
        ];
        let url = self.cluster.database.url_through(database);
        self.cluster.add_on(&url, &[&own, more].concat()).await;
    }

    pub fn path(&self) -> String {
        format!("/widgets/{}", self.widget)
    }

    pub async fn execute(&self, sql: &str) {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        statement.execute(&self.pool).await.unwrap();
    }

    /// Reads until every instance answers from the cache.
    pub async fn warm(&self, path: &str) {
        for instance in &self.cluster.instances {
            eventually("there are hits", async || instance.get(path).await.is_hit()).await;
        }
    }

    /// Waits until the answer of every instance fits, and returns the time of the slowest.
    pub async fn fits(&self, path: &str, what: &str, fits: impl Fn(u16, &str) -> bool) -> Duration {
        let began = Instant::now();
        for instance in &self.cluster.instances {
            eventually(what, async || {
                let answer = instance.get(path).await;
                fits(answer.status, &answer.text)
            })
            .await;
        }
        began.elapsed()
    }

    pub async fn undelivered(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM cache_changes");
        count.fetch_one(&self.pool).await.unwrap()
    }

    /// The widget's name in the database.
    pub async fn stored_name(&self) -> String {
        let name = sqlx::query_scalar("SELECT name FROM widgets WHERE id = $1");
        name.bind(self.widget).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until this many passes wait for a row that another transaction has taken.
    pub async fn passes_wait(&self, number: i64) {
        const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
            AND query LIKE 'DELETE FROM cache_changes%' AND datname = current_database()";
        eventually("passes wait for the row", async || {
            let waiting = sqlx::query_scalar::<_, i64>(WAITING);
            waiting.fetch_one(&self.pool).await.unwrap() >= number
        })
        .await;
    }

    pub async fn everything_is_delivered(&self) {
        eventually("every change is delivered", async || {
            self.undelivered().await == 0
        })
        .await;
    }

    pub async fn rename(&self, instance: usize, name: &str) -> u16 {
        let service = &self.cluster.instances[instance];
        let change = json!({"name": name});
        let answer = service.patch(&self.token, &self.path(), change).await;
        answer.status
    }
}

async fn changes_by_hand_are_seen_everywhere(kind: Kind) {
    let site = Site::prepare(kind).await;
    site.cluster.first().new_user("grace").await;
    let widget = site.path();
    let paths = [
        widget.as_str(),
        "/widgets?q=ol",
        "/widgets?q=changed",
        "/widgets/count",
        "/users/ada/widgets",
        "/users/grace/widgets",
        "/users/ada",
    ];
    let is = |wanted: &'static str| move |_: u16, body: &str| body.contains(wanted);
    let steps = [
        (
            "UPDATE widgets SET name = 'changed'",
            &[0, 2, 4][..],
            "\"changed\"",
        ),
        (
            "UPDATE widgets SET owner_id = (SELECT id FROM users WHERE username = 'grace')",
            &[0, 5][..],
            "\"owner\":\"grace\"",
        ),
        (
            "UPDATE users SET username = 'lovelace' WHERE username = 'grace'",
            &[0, 2],
            "\"owner\":\"lovelace\"",
        ),
        (
            "UPDATE users SET name = 'Countess' WHERE username = 'ada'",
            &[6],
            "Countess",
        ),
        (
            "INSERT INTO widgets (owner_id, name) SELECT id, 'changed too' FROM users WHERE username = 'ada'",
            &[2, 4],
            "changed too",
        ),
        (
            "UPDATE widgets SET deleted_at = now() WHERE name = 'changed too'",
            &[3],
            "{\"count\":1}",
        ),
        ("TRUNCATE widgets", &[3], "{\"count\":0}"),
    ];
    for (statement, changed, wanted) in steps {
        for path in changed {
            site.warm(paths[*path]).await;
        }
        site.execute(statement).await;
        for path in changed {
            let path = paths[*path];
            let took = site.fits(path, statement, is(wanted)).await;
            println!("{}: {statement}: {path} after {took:.0?}", kind.name());
        }
    }
    site.everything_is_delivered().await;
}

async fn a_change_that_is_rolled_back_ends_nothing(kind: Kind) {
    let site = Site::prepare(kind).await;
    let other = site.cluster.first().new_widget(&site.token, "other").await;
    let other = format!("/widgets/{other}");
    site.warm(&site.path()).await;
    site.warm(&other).await;
    let rename = format!(
        "UPDATE widgets SET name = 'never' WHERE id = {}",
        site.widget
    );
    site.execute(&format!("BEGIN; {rename}; ROLLBACK")).await;
    // A later change. When it has been delivered, the other one would have been.
    site.execute("UPDATE widgets SET name = 'after' WHERE name = 'other'")
        .await;
    site.fits(&other, "the later change is seen", |_, body| {
        body.contains("after")
    })
    .await;
    for instance in &site.cluster.instances {
        assert!(instance.get(&site.path()).await.is_hit());
    }
}

/// A trigger of the test changes the widget with every change of the user. The handler does not know it, and binds
/// nothing for it.
async fn a_write_is_answered_after_its_changes_are_delivered(kind: Kind) {
    let site = Site::prepare(kind).await;
    site.execute(
        "CREATE FUNCTION copy_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             UPDATE widgets SET name = NEW.name WHERE owner_id = NEW.id; RETURN NULL; END $$;
         CREATE TRIGGER copy_name AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION copy_name()",
    )
    .await;
    let path = site.path();
    for round in 0..if soaking() { 1000 } else { 50 } {
        site.warm(&path).await;
        let name = format!("round {round}");
        let service = &site.cluster.instances[round % 2];
        let change = json!({"name": name});
        let answer = service.patch(&site.token, "/users/ada", change).await;
        answer.expect(200);
        for instance in &site.cluster.instances {
            assert_eq!(instance.get(&path).await.json()["name"], name.as_str());
        }
    }
}

/// The deletions of the instance do not reach the server. The other instance delivers, and the answer waits for it.
async fn an_instance_that_is_cut_off_leaves_nothing_stale(kind: Kind) {
    let site = Site::prepare(kind).await;
    site.warm(&site.path()).await;
    site.proxy.set(Mode::Refuse);
    for round in 0..20 {
        let name = format!("round {round}");
        assert_eq!(site.rename(0, &name).await, 200);
        let other = &site.cluster.instances[1];
        let answer = other.get(&site.path()).await.expect(200);
        assert_eq!(answer.json()["name"], name.as_str());
        let path = site.path();
        eventually("there are hits", async || other.get(&path).await.is_hit()).await;
    }
    site.everything_is_delivered().await;
}

drills! {
    async fn c53_changes_by_hand_are_seen_by_every_instance_on_redis() = changes_by_hand_are_seen_everywhere(Kind::Redis);
    async fn c53_changes_by_hand_are_seen_by_every_instance_on_memcached() = changes_by_hand_are_seen_everywhere(Kind::Memcached);
    async fn c53_a_change_that_is_rolled_back_ends_nothing_on_redis() = a_change_that_is_rolled_back_ends_nothing(Kind::Redis);
    async fn c53_a_change_that_is_rolled_back_ends_nothing_on_memcached() = a_change_that_is_rolled_back_ends_nothing(Kind::Memcached);
    async fn c54_a_write_is_answered_after_its_changes_are_delivered_on_redis() = a_write_is_answered_after_its_changes_are_delivered(Kind::Redis);
    async fn c54_a_write_is_answered_after_its_changes_are_delivered_on_memcached() = a_write_is_answered_after_its_changes_are_delivered(Kind::Memcached);
    async fn c54_an_instance_that_is_cut_off_leaves_nothing_stale_on_redis() = an_instance_that_is_cut_off_leaves_nothing_stale(Kind::Redis);
    async fn c54_an_instance_that_is_cut_off_leaves_nothing_stale_on_memcached() = an_instance_that_is_cut_off_leaves_nothing_stale(Kind::Memcached);
}
