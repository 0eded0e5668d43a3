//! The report as a picture: for each workload, a bar for each program.
//!
//! Come here to change the picture. The figures are computed in `summary`.

use std::fmt::Write as _;

use crate::page::{count, thousands};
use crate::summary::{Outcome, Series};
use crate::workload::Measure;

const WIDTH: f64 = 960.0;
/// The left end of the bars.
const LEFT: f64 = 220.0;
/// The length of the longest bar of a workload.
const LONGEST: f64 = 420.0;
const ROW: f64 = 24.0;
const TITLE: f64 = 40.0;
const HEAD: f64 = 64.0;

/// The picture of all workloads, as SVG.
pub fn plot(outcomes: &[Outcome]) -> String {
    let rows: usize = outcomes.iter().map(|outcome| outcome.series.len()).sum();
    let height = HEAD + TITLE * count(outcomes.len()) + ROW * count(rows) + 16.0;
    let mut picture = format!(
        "<!-- The picture of docs/performance.md. Written by scripts/bench. -->
<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\" fill=\"#1f2430\">
<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>
<text x=\"20\" y=\"28\" font-size=\"17\" font-weight=\"bold\">Requests per second</text>
<rect x=\"20\" y=\"40\" width=\"12\" height=\"12\" fill=\"{SERVICE}\"/><text x=\"38\" y=\"51\">this service</text>
<rect x=\"140\" y=\"40\" width=\"12\" height=\"12\" fill=\"{REFERENCE}\"/><text x=\"158\" y=\"51\">compared with</text>
<path d=\"M275 38 V54\" stroke=\"{GOAL}\" stroke-width=\"2.5\"/><text x=\"284\" y=\"51\">goal</text>
<path d=\"M340 46 H364\" stroke=\"#1f2430\" stroke-width=\"1.2\"/><text x=\"372\" y=\"51\">slowest to fastest round</text>
"
    );
    let mut y = HEAD;
    for outcome in outcomes {
        let _ = writeln!(
            picture,
            "<text x=\"20\" y=\"{:.0}\" font-size=\"14\" font-weight=\"bold\">{}</text>",
            y + 28.0,
            outcome.workload.title
        );
        y += TITLE;
        let rates = outcome.series.iter().flat_map(|series| &series.samples);
        let highest = rates.map(|sample| sample.rate).fold(1.0, f64::max);
        for series in &outcome.series {
            draw_bar(&mut picture, outcome, series, y, LONGEST / highest);
            y += ROW;
        }
    }
    picture.push_str("</svg>\n");
    picture
}

const SERVICE: &str = "#2f6fde";
const REFERENCE: &str = "#a9b0bc";
const GOAL: &str = "#c8102e";

fn draw_bar(picture: &mut String, outcome: &Outcome, series: &Series, y: f64, scale: f64) {
    let rate = series.median(|sample| sample.rate);
    let rates = || series.samples.iter().map(|sample| sample.rate);
    let from = LEFT + scale * rates().fold(f64::INFINITY, f64::min);
    let to = LEFT + scale * rates().fold(0.0, f64::max);
    let colour = if series.subject.program.is_service() {
        SERVICE
    } else {
        REFERENCE
    };
    let _ = writeln!(
        picture,
        "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"16\" fill=\"{colour}\"/>\
         <path d=\"M{from:.1} {middle:.1} H{to:.1}\" stroke=\"#1f2430\" stroke-width=\"1.2\"/>",
        LEFT - 8.0,
        y + 13.0,
        series.subject.program,
        y,
        rate * scale,
        middle = y + 8.0,
    );
    // The text begins to the right of the bar and its marks.
    let mut end = to.max(LEFT + rate * scale);
    for goal in series.subject.goals {
        if goal.measure != Measure::Rate {
            continue;
        }
        let Some(reached) = outcome.share(series, goal.against, goal.measure) else {
            continue;
        };
        let x = LEFT + rate / reached * goal.share * scale;
        end = end.max(x);
        let _ = writeln!(
            picture,
            "<path d=\"M{x:.1} {:.1} v20\" stroke=\"{GOAL}\" stroke-width=\"2.5\"/>",
            y - 2.0
        );
    }
    let _ = writeln!(
        picture,
        "<text x=\"{:.1}\" y=\"{:.1}\" xml:space=\"preserve\">{}<tspan fill=\"#6b7280\">  · {:.1} µs CPU · p99 {:.1} ms</tspan></text>",
        end + 12.0,
        y + 13.0,
        thousands(rate),
        series.median(|sample| sample.processor),
        series.median(|sample| sample.p99),
    );
}
