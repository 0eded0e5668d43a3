//! Widgets under load: one writer of each at a time, readers, and the answers that were wrong.
//!
//! Come here for what every storm of widgets does. Its instances and its faults are in `several_servers` and in
//! `tests/servers/storm`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::cluster::{read, versioned_name};
use crate::history::{History, Reader};
use crate::support::service::Service;

/// Widgets, the acknowledged writes of each, and what readers found.
#[derive(Debug, Default)]
pub struct Load {
    pub widgets: Vec<(i64, History)>,
    pub reads: AtomicU64,
    ends: AtomicBool,
    wrong: Mutex<Vec<String>>,
}

impl Load {
    /// So many new widgets.
    pub async fn of(widgets: usize, service: &Service, token: &str) -> Self {
        let mut load = Self::default();
        for number in 0..widgets {
            let id = service.new_widget(token, &versioned_name(number, 0)).await;
            load.widgets.push((id, History::default()));
        }
        load
    }

    /// Whether writers and readers go on.
    pub fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::Relaxed)
    }

    /// Reads a widget through an instance: it must be answered, and be no older than the last acknowledged write. Returns whether
    /// it was a hit.
    pub async fn check(
        &self,
        service: &Service,
        reader: Reader,
        number: usize,
        lag: Duration,
    ) -> bool {
        let (id, history) = &self.widgets[number];
        match read(service, &format!("/widgets/{id}")).await.0 {
            Ok(answer) if answer.status == 200 => {
                self.reads.fetch_add(1, Ordering::Relaxed);
                if let Err(stale) = history.judge(reader, &answer.json(), lag) {
                    let status = answer.header("cache-status");
                    self.is_wrong(format!("{stale}; {status}"));
                }
                answer.is_hit()
            }
            outcome => {
                self.is_wrong(format!("{outcome:?}"));
                false
            }
        }
    }

    pub fn is_wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    /// Ends the tasks of writers and readers.
    pub async fn end(&self, mut tasks: JoinSet<()>) {
        self.ends.store(true, Ordering::Relaxed);
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no panic");
        }
    }

    /// Fails if an answer was wrong.
    pub fn expect_right(&self, name: &str) {
        let wrong = self.wrong.lock().unwrap();
        let first = &wrong[..wrong.len().min(5)];
        assert!(
            wrong.is_empty(),
            "{name}: {} wrong answers: {first:#?}",
            wrong.len()
        );
    }
}
