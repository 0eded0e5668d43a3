//! The checks of the storm: at every read, and at its end.
//!
//! Come here when the storm judges an answer wrongly. Who writes and reads is in `storm`.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{LIST, SEARCH, Storm, WIDGETS};
use crate::cluster::read;
use crate::history::Reader;

/// The expected state after a write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected<'a> {
    /// The number of widgets.
    Count(i64),
    /// The widget exists, and is in its owner's list.
    Present { user: &'a str, id: i64 },
    /// The widget does not exist, and is not in the list.
    Absent { user: &'a str, id: i64 },
}

impl Storm {
    pub(super) fn wrong(&self, what: String) {
        self.wrong.lock().expect("the list").push(what);
    }

    /// Reads through an instance; status and body.
    pub(super) async fn read(&self, instance: usize, path: &str) -> (u16, Value) {
        let service = &self.cluster.instances[instance];
        let answer = read(service, path).await.0.expect("an answer");
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.hits
            .fetch_add(u64::from(answer.is_hit()), Ordering::Relaxed);
        if answer.status >= 500 {
            self.wrong(format!("{path}: {}", answer.status));
        }
        (answer.status, answer.json())
    }

    pub(super) async fn check_widget(&self, instance: usize, number: usize) {
        let widget = &self.widgets[number];
        let path = format!("/widgets/{}", widget.id);
        let reader = Reader::of(instance);
        let (_, body) = self.read(instance, &path).await;
        self.judge(widget.history.judge(reader, &body, widget.lag));
    }

    pub(super) async fn check_list(&self, instance: usize, path: &str) {
        let reader = Reader::of(instance);
        let (_, page) = self.read(instance, path).await;
        for widget in &self.widgets {
            match item_of(&page, widget.id) {
                Some(item) => self.judge(widget.history.judge(reader, item, widget.lag)),
                None => self.wrong(format!("{path}: widget {} is not there", widget.id)),
            }
        }
    }

    fn judge(&self, verdict: Result<Duration, String>) {
        match verdict {
            Ok(lag) => self.note_lag(lag),
            Err(wrong) => self.wrong(wrong),
        }
    }

    fn note_lag(&self, lag: Duration) {
        let mut longest = self.longest_lag.lock().expect("the lag");
        *longest = lag.max(*longest);
    }

    /// Checks that every instance shows a write: the instance of the write at once, the others within the allowed lag.
    pub(super) async fn check_everywhere(&self, writer: usize, expected: Expected<'_>) {
        let acknowledged = Instant::now();
        for instance in 0..self.cluster.instances.len() {
            loop {
                let reader = Reader::of(instance);
                let asked = acknowledged.elapsed();
                let Some(wrong) = self.problem(instance, expected).await else {
                    break;
                };
                if !reader.may_miss(writer, acknowledged, self.lag) {
                    self.wrong(wrong);
                    break;
                }
                self.note_lag(asked);
            }
        }
    }

    /// The difference between an instance's answer and the expected one.
    async fn problem(&self, instance: usize, expected: Expected<'_>) -> Option<String> {
        let (user, id, present) = match expected {
            Expected::Count(count) => {
                let (_, body) = self.read(instance, "/widgets/count").await;
                return (body["count"] != count).then(|| format!("{body}, but there are {count}"));
            }
            Expected::Present { user, id } => (user, id, true),
            Expected::Absent { user, id } => (user, id, false),
        };
        let list = format!("/users/{user}/widgets");
        let (_, page) = self.read(instance, &list).await;
        let (status, _) = self.read(instance, &format!("/widgets/{id}")).await;
        let is_right = item_of(&page, id).is_some() == present && (status == 200) == present;
        (!is_right).then(|| format!("{expected:?}: {status}, {page}"))
    }

    /// Without load, the answers of the cache are those of the database.
    pub(super) async fn check_against_database(&self) {
        let lags = self.widgets.iter().map(|widget| widget.lag);
        // The longest allowed lag.
        tokio::time::sleep(lags.max().unwrap_or_default()).await;
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
        for instance in (0..self.cluster.instances.len()).cycle().take(4) {
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
