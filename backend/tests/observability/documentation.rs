//! The table of `docs/observability.md`, held against the running program.
//!
//! Come here when a metric was added: the test prints the row that is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::scrape::Scrape;
use crate::support::eventually;
use crate::support::service::TestService;

/// A file of the project.
pub fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Scrapes in which every metric occurs: one of Redis with a near cache, one of the memory backend.
pub async fn scrapes() -> Vec<Scrape> {
    let near = [("CACHE_BACKEND", "redis"), ("CACHE_NEAR", "true")];
    let memory = [("CACHE_BACKEND", "memory")];
    let mut scrapes = Vec::new();
    for environment in [near, [memory[0], ("CACHE_NEAR", "false")]] {
        let service = TestService::start_with(&environment).await;
        eventually("the cache is ready", async || {
            service.get("/widgets/count").await.expect(200).is_hit()
        })
        .await;
        scrapes.push(Scrape::of(&service).await);
    }
    scrapes
}

/// The rows of the table for these scrapes.
fn rows(scrapes: &[Scrape]) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for scrape in scrapes {
        let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for series in &scrape.series {
            let name = scrape.metric_of(series);
            let own = series.labels.keys().map(String::as_str);
            let own = own.filter(|label| *label != "le");
            labels.entry(name).or_default().extend(own);
        }
        for (name, kind) in scrape.metrics() {
            let help = format!("# HELP {name} ");
            let help = scrape
                .text
                .lines()
                .find_map(|line| line.strip_prefix(&help));
            let labels: Vec<String> = labels[name]
                .iter()
                .map(|label| format!("`{label}`"))
                .collect();
            let (labels, help) = (labels.join(", "), help.unwrap_or_default());
            rows.insert(format!("| `{name}` | {kind} | {labels} | {help} |"));
        }
    }
    rows
}

#[tokio::test]
async fn the_table_of_metrics_is_that_of_the_running_program() {
    let rows = rows(&scrapes().await);
    assert!(rows.len() > 20, "the metrics were found");
    let page = read("docs/observability.md");
    let table: BTreeSet<String> = page
        .lines()
        .filter(|line| {
            let kind = line.split('|').nth(2).map(str::trim);
            matches!(kind, Some("counter" | "gauge" | "histogram"))
        })
        .map(str::to_owned)
        .collect();
    let text = |rows: Vec<&String>| {
        let lines: Vec<&str> = rows.into_iter().map(String::as_str).collect();
        lines.join("\n")
    };
    let missing = text(rows.difference(&table).collect());
    let surplus = text(table.difference(&rows).collect());
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing in docs/observability.md:\n{missing}\nnot in the program:\n{surplus}"
    );
}
