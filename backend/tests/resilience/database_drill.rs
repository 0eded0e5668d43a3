//! The load of a database drill: readers, signed-in readers and writers on one instance, and the outcome
//! of every request.
//!
//! Come here to change the load or what is measured. The faults are in `database.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::service::Service;
use crate::support::{eventually, unique};

/// `DATABASE_STATEMENT_TIMEOUT` of the drill, in seconds.
pub const STATEMENT_TIMEOUT: u64 = 1;
/// A request that takes longer counts as hanging (docs/production.md, "Deadlines").
const LIMIT: Duration = Duration::from_secs(STATEMENT_TIMEOUT + 2);
/// The longest time after the fault until requests succeed again (docs/production.md, "Deadlines").
const RECOVERY: Duration = Duration::from_secs(5);
/// The number of requests at a time: more than the pool has connections.
const READERS: usize = 6;
const SIGNED_IN: usize = 3;
const WRITERS: usize = 3;
/// The number of requests of each kind that must succeed before the fault, and again after it.
const ENOUGH: usize = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    SignedIn,
    Write,
}

/// A finished request.
#[derive(Debug)]
struct Ended {
    kind: Kind,
    began: Instant,
    took: Duration,
    /// The status; 0 without an answer.
    status: u16,
}

/// The result of the drill.
#[derive(Debug)]
pub struct Outcome {
    pub reads_failed: usize,
    pub writes_failed: usize,
    pub total: usize,
    pub hung: usize,
    pub slowest: Duration,
    pub recovered_after: Duration,
}

/// A service under load.
#[derive(Debug)]
pub struct Drill {
    pub service: Service,
    token: String,
    widget: i64,
    ended: Mutex<Vec<Ended>>,
    is_over: AtomicBool,
}

impl Drill {
    /// Starts a service on the database and puts it under load.
    pub async fn start(database_url: &str) -> (Arc<Self>, JoinSet<()>) {
        let statement_timeout = STATEMENT_TIMEOUT.to_string();
        let environment = [
            ("CACHE_ENABLED", "false"),
            ("DATABASE_POOL_SIZE", "5"),
            ("DATABASE_STATEMENT_TIMEOUT", &statement_timeout),
            ("DATABASE_LOCK_TIMEOUT", "1"),
        ];
        let service = Service::start(database_url, &environment).await;
        let token = service.new_user("ada").await;
        let widget = service.new_widget(&token, &unique("widget")).await;
        let drill = Arc::new(Self {
            service,
            token,
            widget,
            ended: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        let kinds = [
            (Kind::Read, READERS),
            (Kind::SignedIn, SIGNED_IN),
            (Kind::Write, WRITERS),
        ];
        for (kind, count) in kinds {
            for _ in 0..count {
                tasks.spawn(Arc::clone(&drill).load(kind));
            }
        }
        drill.wait_for_success(Instant::now()).await;
        (drill, tasks)
    }

    /// The status of readiness.
    pub async fn readiness(&self) -> u16 {
        let request = self.service.request(Method::GET, "/health/ready");
        self.service.send(request).await.status
    }

    /// Waits until requests of every kind succeed again, and returns the result.
    pub async fn finish(&self, mut tasks: JoinSet<()>, began: Instant, over: Instant) -> Outcome {
        self.wait_for_success(over).await;
        eventually("readiness is 200 again", async || {
            self.readiness().await == 200
        })
        .await;
        self.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        let ended = self.ended.lock().unwrap();
        let during = || {
            ended
                .iter()
                .filter(|ended| ended.began + ended.took >= began)
        };
        let failed = || during().filter(|ended| ended.status != 200);
        let writes_failed = failed().filter(|ended| ended.kind == Kind::Write).count();
        let odd: Vec<_> = failed().filter(|ended| ended.status != 503).collect();
        assert!(odd.is_empty(), "neither 200 nor 503: {odd:#?}");
        let last = failed().map(|ended| ended.began + ended.took).max();
        Outcome {
            reads_failed: failed().count() - writes_failed,
            writes_failed,
            total: during().count(),
            hung: during().filter(|ended| ended.took > LIMIT).count(),
            slowest: during().map(|ended| ended.took).max().unwrap_or_default(),
            recovered_after: last.unwrap_or(over).saturating_duration_since(over),
        }
    }

    async fn wait_for_success(&self, since: Instant) {
        eventually("requests of every kind succeed", async || {
            let ended = self.ended.lock().unwrap();
            [Kind::Read, Kind::SignedIn, Kind::Write]
                .into_iter()
                .all(|kind| {
                    let successes = ended.iter().filter(|ended| {
                        ended.kind == kind && ended.began >= since && ended.status == 200
                    });
                    successes.count() >= ENOUGH
                })
        })
        .await;
    }

    async fn load(self: Arc<Self>, kind: Kind) {
        while !self.is_over.load(Ordering::SeqCst) {
            let began = Instant::now();
            // Longer than the deadline of a request, so that a request that hangs is recorded.
            let request = self.request(kind).timeout(LIMIT * 3);
            let status = match request.send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    let is_complete = status != 503 || answer.headers().contains_key("retry-after");
                    if is_complete { status } else { 0 }
                }
                Err(_) => 0,
            };
            let took = began.elapsed();
            self.ended.lock().unwrap().push(Ended {
                kind,
                began,
                took,
                status,
            });
            // A pause: the load must not exhaust the machine.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn request(&self, kind: Kind) -> RequestBuilder {
        match kind {
            Kind::Read => self.service.api(Method::GET, "/users/ada", ""),
            Kind::SignedIn => self.service.api(Method::GET, "/users/me", &self.token),
            Kind::Write => {
                let path = format!("/widgets/{}", self.widget);
                let request = self.service.api(Method::PATCH, &path, &self.token);
                request.json(&json!({"name": unique("name")}))
            }
        }
    }
}

impl Outcome {
    /// Prints a row of the table, and fails where a request hung or the recovery took too long.
    pub fn check(&self, fault: &str) {
        let failed = self.reads_failed + self.writes_failed;
        println!(
            "{fault:<22} failed {failed:>4} of {:>5} ({:>3} writes)   hung {}   slowest {:>6.0?}   recovered after {:>6.0?}",
            self.total, self.writes_failed, self.hung, self.slowest, self.recovered_after
        );
        assert_eq!(self.hung, 0, "{self:?}");
        assert!(self.recovered_after <= RECOVERY, "{self:?}");
    }
}
