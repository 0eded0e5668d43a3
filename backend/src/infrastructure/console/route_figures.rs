//! The numbers of each route, read from the metrics of this process.
//!
//! Come here to show another metric in the console. The metrics are the only count, so that a hit is counted once; they are
//! recorded where their events happen.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

const LOOKUPS: &str = "cache_lookups_total";
const DURATION_BUCKET: &str = "http_server_request_duration_seconds_bucket";
const DURATION_SUM: &str = "http_server_request_duration_seconds_sum";
const DURATION_COUNT: &str = "http_server_request_duration_seconds_count";

/// The numbers of a route in this instance since its start. Two answers give the numbers of the time between them.
#[derive(Clone, Debug, Default, JsonSchema, PartialEq, Serialize)]
pub struct RouteFigures {
    /// The method and the template of the path.
    pub route: String,
    /// Look-ups that were answered from the cache.
    pub hits: u64,
    /// Look-ups by their outcome, such as `hit`, `uri-miss` or `bypass`.
    pub lookups: BTreeMap<String, u64>,
    /// The answered requests of the method.
    pub requests: u64,
    /// The sum of their durations, in seconds.
    pub seconds: f64,
    /// The number of requests by their duration.
    pub durations: Vec<DurationBucket>,
}

/// The number of requests that took at most this time.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
pub struct DurationBucket {
    /// Seconds.
    pub at_most: f64,
    /// The number, those of shorter times included.
    pub requests: u64,
}

/// The numbers of every route with requests, from metrics in the text format of Prometheus.
pub(super) fn route_figures(metrics: &str) -> Vec<RouteFigures> {
    let mut routes: BTreeMap<String, RouteFigures> = BTreeMap::new();
    for sample in metrics.lines().filter_map(Sample::parse) {
        let Some(route) = sample.label("route").filter(|route| *route != "-") else {
            continue;
        };
        let method = match sample.name {
            // Only reads look up, and those of HEAD are counted with those of GET.
            LOOKUPS => "GET",
            _ => sample.label("method").unwrap_or_default(),
        };
        let figures = routes.entry(format!("{method} {route}"));
        match sample.name {
            LOOKUPS => {
                let outcome = sample.label("cache_outcome").unwrap_or_default();
                let figures = figures.or_default();
                *figures.lookups.entry(outcome.to_owned()).or_default() += sample.whole();
                figures.hits += if outcome.starts_with("hit") {
                    sample.whole()
                } else {
                    0
                };
            }
            DURATION_SUM => figures.or_default().seconds += sample.value,
            DURATION_COUNT => figures.or_default().requests += sample.whole(),
            DURATION_BUCKET => {
                let at_most = sample
                    .label("le")
                    .and_then(|limit| limit.parse::<f64>().ok());
                let Some(at_most) = at_most.filter(|limit| limit.is_finite()) else {
                    continue;
                };
                let durations = &mut figures.or_default().durations;
                let known = durations
                    .iter_mut()
                    .find(|own| own.at_most.total_cmp(&at_most).is_eq());
                match known {
                    Some(bucket) => bucket.requests += sample.whole(),
                    None => durations.push(DurationBucket {
                        at_most,
                        requests: sample.whole(),
                    }),
                }
            }
            _ => {}
        }
    }
    let named = routes
        .into_iter()
        .map(|(route, figures)| RouteFigures { route, ..figures });
    named.collect()
}

/// One line of the metrics: `name{label="value",…} number`. Values of labels are templates and names of this program, which
/// contain no quote.
struct Sample<'a> {
    name: &'a str,
    labels: &'a str,
    value: f64,
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, rest) = line.split_once('{')?;
        let (labels, value) = rest.rsplit_once("} ")?;
        [LOOKUPS, DURATION_SUM, DURATION_COUNT, DURATION_BUCKET]
            .contains(&name)
            .then_some(())?;
        let value = value.parse().ok()?;
        Some(Self {
            name,
            labels,
            value,
        })
    }

    fn label(&self, name: &str) -> Option<&'a str> {
        self.labels.split("\",").find_map(|label| {
            let (own, value) = label.split_once("=\"")?;
            (own == name).then(|| value.trim_end_matches('"'))
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are whole and not negative"
    )]
    fn whole(&self) -> u64 {
        self.value as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_of_a_route_are_added_up() {
        let metrics = r#"# TYPE cache_lookups_total counter
cache_lookups_total{route="/api/v1/widgets/{widget_id}",cache_outcome="hit",cache_detail=""} 3
cache_lookups_total{route="/api/v1/widgets/{widget_id}",cache_outcome="uri-miss",cache_detail="stored"} 1
http_server_request_duration_seconds_bucket{route="/api/v1/widgets/{widget_id}",method="GET",status="200",le="0.001"} 3
http_server_request_duration_seconds_bucket{route="/api/v1/widgets/{widget_id}",method="GET",status="304",le="0.001"} 1
http_server_request_duration_seconds_bucket{route="/api/v1/widgets/{widget_id}",method="GET",status="200",le="+Inf"} 4
http_server_request_duration_seconds_sum{route="/api/v1/widgets/{widget_id}",method="GET",status="200"} 0.25
http_server_request_duration_seconds_count{route="/api/v1/widgets/{widget_id}",method="GET",status="200"} 4
http_server_request_duration_seconds_count{route="-",method="GET",status="404"} 9
database_pool_connections{state="idle"} 2
"#;
        let figures = route_figures(metrics);
        assert_eq!(figures.len(), 1, "{figures:?}");
        let route = &figures[0];
        assert_eq!(route.route, "GET /api/v1/widgets/{widget_id}");
        assert_eq!(
            (route.hits, route.lookups["uri-miss"], route.requests),
            (3, 1, 4)
        );
        assert_eq!(route.durations.len(), 1);
        assert_eq!(route.durations[0].requests, 4);
    }
}
