//! The deadline that every test has (`support::watchdog`).
//!
//! Come here to see that a test that hangs ends its run. Nothing here is about the cache.

use std::process::Command;
use std::time::Duration;

use crate::support::{unique, watchdog::LIMIT_VARIABLE};

const HANGS: &str = "deadline::a_test_that_hangs";

/// Runs only as the child of the test below.
#[test]
#[ignore = "hangs"]
fn a_test_that_hangs() {
    unique("test");
    // The hanging is the case: the run ends long before.
    std::thread::sleep(Duration::from_mins(2));
}

#[test]
fn a_test_that_hangs_ends_the_run_and_is_named() {
    // Two threads: with one, the runner does not name them.
    let run = Command::new(std::env::current_exe().expect("this program"))
        .args([HANGS, "--exact", "--ignored", "--test-threads=2"])
        .env(LIMIT_VARIABLE, "300")
        .output()
        .expect("the child");
    let error = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success(), "{run:?}");
    assert!(error.contains(HANGS), "{error}");
}
