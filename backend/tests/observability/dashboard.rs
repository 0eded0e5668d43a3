//! The names that the dashboard and the alert rules use, held against running instances.
//!
//! Come here after changing the dashboard or an alert.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::documentation::{read, scrapes};

/// Words of `PromQL`, and what Prometheus and Grafana add.
const WORDS: &[&str] = &[
    "__rate_interval",
    "by",
    "histogram_quantile",
    "increase",
    "instance",
    "job",
    "le",
    "rate",
    "sum",
    "time",
    "up",
];

/// The names in an expression: words outside of quotation marks and durations.
fn names(expression: &str) -> BTreeSet<String> {
    let outside = expression
        .split('"')
        .step_by(2)
        .collect::<Vec<_>>()
        .join(" ");
    outside
        .split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        .filter(|word| word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'))
        .filter(|word| !WORDS.contains(word))
        .map(str::to_owned)
        .collect()
}

/// The expressions of the dashboard.
fn dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/backend.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    targets
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

/// The expressions of the rules.
fn rules() -> Vec<String> {
    let text = read("deploy/prometheus/alerts.yml");
    let mut expressions = Vec::new();
    for rule in text.split("- alert: ").skip(1) {
        let (_, from) = rule.split_once("expr:").expect("an expression");
        let end = from
            .find("\n        for:")
            .or_else(|| from.find("\n        labels:"));
        expressions.push(
            from[..end.expect("labels")]
                .trim_start_matches([' ', '|'])
                .to_owned(),
        );
    }
    expressions
}

#[tokio::test]
async fn every_name_in_the_dashboard_and_the_rules_exists_in_a_running_instance() {
    let mut known = BTreeSet::new();
    for scrape in scrapes().await {
        for series in &scrape.series {
            known.insert(series.name.clone());
            known.extend(series.labels.keys().cloned());
        }
    }
    let (dashboard, rules) = (dashboard(), rules());
    assert!(
        dashboard.len() > 20 && rules.len() > 10,
        "expressions were found"
    );
    for expression in dashboard.iter().chain(&rules) {
        for name in names(expression) {
            assert!(known.contains(&name), "{name} does not exist: {expression}");
        }
    }
}

#[tokio::test]
async fn every_metric_of_the_program_is_in_the_dashboard() {
    let expressions = dashboard().concat();
    for scrape in scrapes().await {
        for name in scrape.metrics().keys() {
            assert!(expressions.contains(name), "{name} is in no panel");
        }
    }
}

#[test]
fn names_are_found_outside_of_quotation_marks() {
    let found = names(
        r#"sum by (route) (rate(x_total{job="$job", cache_outcome=~"hit|miss"}[5m])) > 0.05"#,
    );
    let expected = ["cache_outcome", "route", "x_total"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(expected));
}
