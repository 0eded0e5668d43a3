//! A deadline for every test: a test that runs for longer than [`LONGEST_TEST`] ends the program and is
//! named on standard error.
//!
//! Come here when a run was ended with "the test … has run for …". `unique`, `variable` and `eventually`
//! register the test that calls them, so no test of a suite needs a line of its own. The asynchronous tests inside the
//! sources begin with `watchdog::watch()`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// Far longer than any test takes on a busy machine.
const LONGEST_TEST: Duration = Duration::from_mins(5);
/// The same with `SOAK` set.
const LONGEST_SOAK: Duration = Duration::from_hours(1);
/// Replaces both, in milliseconds: for the test of this file.
pub const LIMIT_VARIABLE: &str = "TEST_WATCHDOG_LIMIT_MS";
/// Between looks at the clock.
const PERIOD: Duration = Duration::from_millis(200);

/// The name and the start of each test that runs.
static RUNNING: Mutex<BTreeMap<u64, (String, Instant)>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);
static WATCHDOG: Once = Once::new();

thread_local! {
    static TEST: RefCell<Option<Test>> = const { RefCell::new(None) };
}

/// A registered test. Its thread ends with it.
struct Test(u64);

impl Drop for Test {
    fn drop(&mut self) {
        running().remove(&self.0);
    }
}

/// Registers the test of this thread. A second call changes nothing.
pub fn watch() {
    let thread = std::thread::current();
    // The runner names a test's thread after the test. Other threads belong to a test that is registered.
    let Some(name) = thread.name().filter(|name| *name != "tokio-rt-worker") else {
        return;
    };
    WATCHDOG.call_once(|| {
        std::thread::spawn(end_tests_that_hang);
    });
    TEST.with_borrow_mut(|test| {
        // With `--test-threads=1` all tests share the main thread: the newest one counts.
        if test.is_none() || name == "main" {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            running().insert(number, (name.to_owned(), Instant::now()));
            *test = Some(Test(number));
        }
    });
}

fn end_tests_that_hang() {
    let limit = limit();
    loop {
        // The pace of the watch.
        std::thread::sleep(PERIOD);
        let late = running()
            .values()
            .find(|(_, began)| began.elapsed() > limit)
            .map(|(name, _)| name.clone());
        if let Some(name) = late {
            // Not `eprintln!`, whose output the runner may keep to itself.
            let _ = writeln!(
                std::io::stderr(),
                "the test {name} has run for {limit:?}, which no test may: the run is ended"
            );
            std::process::abort();
        }
    }
}

fn limit() -> Duration {
    let chosen = std::env::var(LIMIT_VARIABLE).ok();
    match chosen.and_then(|limit| limit.parse().ok()) {
        Some(milliseconds) => Duration::from_millis(milliseconds),
        None if std::env::var_os("SOAK").is_some() => LONGEST_SOAK,
        None => LONGEST_TEST,
    }
}

fn running() -> std::sync::MutexGuard<'static, BTreeMap<u64, (String, Instant)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
