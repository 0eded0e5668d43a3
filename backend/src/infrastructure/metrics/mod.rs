//! Metrics for Prometheus: the recorder of the process, and the text that a scrape gets.
//!
//! Come here to see when metrics are collected, or to change the buckets of the histograms. A metric is recorded where its
//! event happens, through the facade of the crate `metrics`, and described by a function `describe_metrics` beside it. A label
//! never contains a key, a caller or the path of a request: the number of series must not depend on clients.
//!
//! Samples of histograms wait in memory until they are counted into their buckets, which happens every
//! [`COUNT_PERIOD`] and at each scrape: 8 bytes for each request of that time.

mod requests;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
pub use metrics_exporter_prometheus::BuildError as StartMetricsError;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::sleep;
use tracing_appender::non_blocking::ErrorCounter;

pub use requests::{RequestMetrics, RouteMetrics};

/// The time between two counts of the samples.
const COUNT_PERIOD: Duration = Duration::from_secs(1);
/// The upper bounds of the buckets of all histograms, in seconds: a hit takes microseconds, a deadline half a minute.
const BUCKETS: [f64; 18] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

const BUILD: &str = "build_info";
const START: &str = "process_start_time_seconds";
const DROPPED: &str = "log_lines_dropped_total";

/// The metrics of the process. A clone is the same metrics; the last one ends the counting of samples.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    dropped_lines: ErrorCounter,
    _counting: Arc<AbortOnDrop>,
}

impl Metrics {
    /// Starts to collect. Handles that were made before do nothing, so this comes before all other parts.
    ///
    /// # Errors
    /// The buckets are refused, or another recorder is installed.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn start(dropped_lines: ErrorCounter) -> Result<Self, StartMetricsError> {
        let handle = PrometheusBuilder::new()
            .set_buckets(&BUCKETS)?
            .install_recorder()?;
        describe_own();
        RequestMetrics::describe_metrics();
        let counted = handle.clone();
        let counting = tokio::spawn(async move {
            loop {
                sleep(COUNT_PERIOD).await;
                let handle = counted.clone();
                // It takes milliseconds where there were many requests.
                let _ = spawn_blocking(move || handle.run_upkeep()).await;
            }
        });
        Ok(Self {
            handle,
            dropped_lines,
            _counting: Arc::new(AbortOnDrop(counting.abort_handle())),
        })
    }

    /// All metrics in the text format of Prometheus, version 0.0.4. Takes milliseconds: not for an asynchronous thread.
    #[must_use]
    pub fn render(&self) -> String {
        let dropped = u64::try_from(self.dropped_lines.dropped_lines()).unwrap_or(u64::MAX);
        counter!(DROPPED).absolute(dropped);
        self.handle.render()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Describes the metrics of the process, and sets those that do not change.
fn describe_own() {
    describe_gauge!(
        BUILD,
        "1; the labels have the version and the profile of the build"
    );
    describe_gauge!(
        START,
        Unit::Seconds,
        "When the process started, in seconds since 1970"
    );
    describe_counter!(
        DROPPED,
        "Lines of the log that were dropped, since the reader of the log was too slow"
    );
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION"), "profile" => profile).set(1.0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    gauge!(START).set(now.unwrap_or_default().as_secs_f64());
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
