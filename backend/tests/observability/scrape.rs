//! One scrape of `/metrics`, parsed.
//!
//! Come here to ask a running service for a value.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;

use crate::support::service::Service;

/// A line of a scrape.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// The lines of a scrape, and the types of their metrics.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub text: String,
    pub series: Vec<Series>,
}

impl Scrape {
    pub async fn of(service: &Service) -> Self {
        let answer = service.send(service.request(Method::GET, "/metrics")).await;
        Self::parse(answer.expect(200).text)
    }

    pub fn parse(text: String) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let series = lines.map(series).collect();
        Self { text, series }
    }

    /// The sum of the series with this name and these labels; `None` where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |series: &Series| {
            labels
                .iter()
                .all(|(label, value)| series.labels.get(*label).is_some_and(|own| own == value))
        };
        let matching = self
            .series
            .iter()
            .filter(|series| series.name == name && has(series));
        matching
            .map(|series| series.value)
            .reduce(|sum, value| sum + value)
    }

    /// The same, which must exist.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.sum(name, labels)
            .unwrap_or_else(|| panic!("there is no {name} with {labels:?} in\n{}", self.text))
    }

    /// The names of all metrics, histograms without their suffixes, each with its type.
    pub fn metrics(&self) -> BTreeMap<&str, &str> {
        let types = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "));
        types.filter_map(|line| line.split_once(' ')).collect()
    }

    /// The metric of a series: without the suffix of a part of a histogram.
    pub fn metric_of<'a>(&self, series: &'a Series) -> &'a str {
        let parts = ["_bucket", "_sum", "_count"];
        let metric = parts.iter().find_map(|part| series.name.strip_suffix(part));
        let metrics = self.metrics();
        metric
            .filter(|metric| metrics.get(metric) == Some(&"histogram"))
            .unwrap_or(&series.name)
    }

    /// Every series without its value.
    pub fn identities(&self) -> BTreeSet<String> {
        self.series
            .iter()
            .map(|series| format!("{}{:?}", series.name, series.labels))
            .collect()
    }
}

fn series(line: &str) -> Series {
    let (head, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
    let labels = labels.strip_suffix('}').expect("the end of the labels");
    // No label of the service contains a comma or a quotation mark.
    let labels = labels
        .split(',')
        .filter(|label| !label.is_empty())
        .map(|label| {
            let (name, value) = label.split_once('=').expect("a label");
            (name.to_owned(), value.trim_matches('"').to_owned())
        });
    Series {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().expect("a number"),
    }
}
