//! What the suites share: private databases, cache namespaces, running services and proxies.
//!
//! The servers are those that `./scripts/test` starts.
//!
//! Come here for something that a second suite needs.

#![allow(dead_code, reason = "each suite uses a part")]
#![allow(clippy::expect_used, reason = "a test may fail at any line")]

/// Names drills as tests.
#[allow(unused_macros, reason = "each suite uses a part")]
macro_rules! drills {
    ($(async fn $name:ident() = $drill:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $drill.await;
        }
    )*};
}

pub mod answer;
pub mod certificates;
pub mod database;
pub mod described;
pub mod owners;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod proof;
pub mod proxy;
pub mod redis_cluster;
pub mod relay;
pub mod replies;
pub mod sentinels;
pub mod server;
pub mod service;
pub mod shifted_clock;
pub mod watchdog;

use std::time::{Duration, Instant};

/// The path of the program, which has the name of the package.
pub const PROGRAM: &str = env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME")));

/// The value of a variable that `./scripts/test` sets.
pub fn variable(name: &str) -> String {
    watchdog::watch();
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with ./scripts/test"))
}

/// A name that no other test has.
pub fn unique(prefix: &str) -> String {
    watchdog::watch();
    format!("{prefix}_{:016x}", rand::random::<u64>())
}

/// Waits until the condition holds; panics with `what` after 20 seconds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    watchdog::watch();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
