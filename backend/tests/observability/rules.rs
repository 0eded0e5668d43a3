//! The alert rules by themselves: their syntax, and their unit tests by `promtool`.
//!
//! Come here after changing an alert. Its unit test is in `deploy`.

use std::path::Path;
use std::process::Command;

use crate::documentation::read;

fn promtool(arguments: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus");
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = output.expect("promtool: run the tests with ./scripts/test, which installs it");
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

/// The names of all alerts.
pub fn alerts() -> Vec<String> {
    let rules = read("deploy/prometheus/alerts.yml");
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert!(names.len() > 10, "the alerts were found");
    names
}

#[test]
fn the_rules_are_valid_and_pass_their_tests() {
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
}

#[test]
fn each_alert_has_tests_a_drill_and_a_row_in_the_documentation() {
    let tests = read("deploy/prometheus/alerts_test.yml");
    let drills = read("backend/tests/observability/drills.rs");
    let page = read("docs/observability.md");
    for alert in alerts() {
        let tested = tests.matches(&format!("alertname: {alert}\n")).count();
        assert_eq!(
            tested, 2,
            "{alert} has a test that it fires and one that it stays quiet"
        );
        assert!(
            drills.contains(&format!("expect(\"{alert}\")")),
            "{alert} has a drill"
        );
        assert!(
            page.contains(&format!("| `{alert}` |")),
            "{alert} is documented"
        );
    }
}
