//! Fixed waits and measured times in tests.
//!
//! Come here when a test has to wait. It waits for a condition, with a deadline (`support::eventually`); where something must
//! not happen, it waits for an event that comes later. A pause that is the case itself, or the pace of a load, says so in the
//! comment above it.

use crate::sources::files;

/// This file, whose examples break its rules.
const HERE: &str = "tests/architecture/waits.rs";

/// The lines with a pause that neither a comment nor a deadline above explains.
fn unexplained_pauses(text: &str) -> Vec<&str> {
    let explains = |line: &str| line.starts_with("//") || line.contains("< deadline");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let pauses = lines.windows(2).filter(|pair| {
        let sleeps = ["thread::sleep(", "time::sleep(", " sleep("];
        let sleeps = sleeps.iter().any(|sleep| pair[1].contains(sleep));
        sleeps && !pair[1].starts_with("//") && !explains(pair[0])
    });
    pauses.map(|pair| pair[1]).collect()
}

/// The assertions that something took less than a time. A busy machine breaks them.
fn asserted_times(text: &str) -> Vec<&str> {
    let assertions = text.split("assert!(").skip(1);
    let conditions = assertions.filter_map(|rest| rest.split(';').next());
    conditions
        .filter(|condition| condition.contains(".elapsed() <"))
        .collect()
}

#[test]
fn every_pause_of_a_test_is_explained_above_it() {
    for (path, text) in files() {
        if path.starts_with("tests/") && path != HERE {
            assert_eq!(unexplained_pauses(&text), Vec::<&str>::new(), "{path}");
        }
    }
}

#[test]
fn no_test_asserts_that_something_took_less_than_a_time() {
    for (path, text) in files() {
        if path != HERE {
            assert_eq!(asserted_times(&text), Vec::<&str>::new(), "{path}");
        }
    }
}

#[test]
fn an_unexplained_pause_and_an_asserted_time_are_found() {
    let pause = "std::thread::sleep(PAUSE);";
    let unexplained = format!("let waiting = start();\n{pause}\n");
    assert_eq!(unexplained_pauses(&unexplained), [pause]);
    let explained = format!("// The pace of the load.\n{pause}\n");
    assert_eq!(unexplained_pauses(&explained), Vec::<&str>::new());
    let asserted = "assert!(\n    began.elapsed() < Duration::from_secs(1),\n    \"slow\"\n);\n";
    assert_eq!(asserted_times(asserted).len(), 1);
    let deadline =
        "assert!(Instant::now() < deadline, \"in vain\");\nwhile began.elapsed() < time {}\n";
    assert_eq!(asserted_times(deadline), Vec::<&str>::new());
}
