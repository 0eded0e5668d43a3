//! The ratios of a run as a file, and the comparison of two runs by them.
//!
//! Come here to change when a ratio counts as moved. A ratio is the share of another program's figure, in one workload. Its
//! spread is the distance between its least and its greatest round. A difference within the spread says nothing.

use std::fmt::Write as _;

use crate::Result;
use crate::summary::{Outcome, median};
use crate::workload::Measure;

/// The first line of the file.
const HEAD: &str = "workload\tprogram\tcompared with\tfigure\tmedian\tleast\tgreatest";

/// A ratio, with its rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    /// Workload, program, the program it is compared with, and the figure.
    name: [String; 4],
    median: f64,
    least: f64,
    greatest: f64,
}

impl Ratio {
    fn new(name: [String; 4], rounds: &[f64]) -> Self {
        Self {
            name,
            median: median(rounds.iter().copied()),
            least: rounds.iter().copied().fold(f64::INFINITY, f64::min),
            greatest: rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    fn spread(&self) -> f64 {
        self.greatest - self.least
    }

    fn parse(line: &str) -> Option<Self> {
        let columns: Vec<&str> = line.split('\t').collect();
        let [workload, program, against, figure, median, least, greatest] = columns[..] else {
            return None;
        };
        Some(Self {
            name: [workload, program, against, figure].map(str::to_owned),
            median: median.parse().ok()?,
            least: least.parse().ok()?,
            greatest: greatest.parse().ok()?,
        })
    }
}

/// The ratios of all compared programs: of the rates and of the processor time.
pub fn ratios(outcomes: &[Outcome]) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for outcome in outcomes {
        for series in &outcome.series {
            let Some(against) = series.subject.against else {
                continue;
            };
            for (figure, measure) in [
                ("requests", Measure::Rate),
                ("processor time", Measure::ProcessorTime),
            ] {
                let Some(rounds) = outcome.shares(series, against, measure) else {
                    continue;
                };
                let name = [
                    outcome.workload.title.to_owned(),
                    series.subject.program.to_string(),
                    against.to_string(),
                    figure.to_owned(),
                ];
                ratios.push(Ratio::new(name, &rounds));
            }
        }
    }
    ratios
}

/// The file of a run: a line for each ratio.
pub fn write(ratios: &[Ratio]) -> String {
    let mut text = format!("{HEAD}\n");
    for ratio in ratios {
        let _ = writeln!(
            text,
            "{}\t{:.4}\t{:.4}\t{:.4}",
            ratio.name.join("\t"),
            ratio.median,
            ratio.least,
            ratio.greatest
        );
    }
    text
}

/// Reads the file of an earlier run.
///
/// # Errors
/// The text is not of [`write`].
pub fn read(text: &str) -> Result<Vec<Ratio>> {
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return Err("this is no file of ratios, such as docs/performance.tsv".into());
    }
    lines
        .map(|line| Ratio::parse(line).ok_or_else(|| format!("`{line}` is no ratio").into()))
        .collect()
}

/// The ratios that moved between two runs, a line each, with the number of those that both runs have. A ratio moved if its medians
/// differ by more than the greater of its spreads in the two runs.
pub fn compare(before: &[Ratio], now: &[Ratio]) -> String {
    let pairs: Vec<(&Ratio, &Ratio)> = now
        .iter()
        .filter_map(|now| Some((before.iter().find(|before| before.name == now.name)?, now)))
        .collect();
    let moved: Vec<String> = pairs
        .iter()
        .filter_map(|(before, now)| {
            let spread = before.spread().max(now.spread());
            let difference = now.median - before.median;
            let [workload, program, against, figure] = &now.name;
            (difference.abs() > spread).then(|| {
                format!(
                    "{workload}: {program}, of {against} ({figure}): {:.2} after {:.2}, {difference:+.2} with a spread of {spread:.2}",
                    now.median, before.median
                )
            })
        })
        .collect();
    let mut text = format!(
        "{} of {} ratios moved by more than their spread\n",
        moved.len(),
        pairs.len()
    );
    for line in moved {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(program: &str, rounds: &[f64]) -> Ratio {
        let name = ["One hot key", program, "static bytes", "requests"].map(str::to_owned);
        Ratio::new(name, rounds)
    }

    #[test]
    fn a_ratio_moved_if_its_medians_differ_by_more_than_its_spread_in_either_run() {
        let before = [
            ratio("service, memory", &[0.90, 0.91, 0.92]),
            ratio("service, Redis", &[0.80, 0.85, 0.90]),
            ratio("service, near cache", &[0.90, 0.91, 0.92]),
            ratio("service, gone", &[0.50, 0.50, 0.50]),
        ];
        let now = [
            // By 0.08, with spreads of 0.02.
            ratio("service, memory", &[0.82, 0.83, 0.84]),
            // By 0.09, with a spread of 0.10 before.
            ratio("service, Redis", &[0.75, 0.76, 0.77]),
            // By 0.09, with a spread of 0.20 now.
            ratio("service, near cache", &[0.70, 0.82, 0.90]),
            ratio("service, new", &[0.10, 0.10, 0.10]),
        ];
        assert_eq!(
            compare(&before, &now),
            "1 of 3 ratios moved by more than their spread\n\
             One hot key: service, memory, of static bytes (requests): 0.83 after 0.91, -0.08 with a spread of 0.02\n"
        );
    }

    #[test]
    fn a_run_that_is_written_and_read_is_the_same() {
        let ratios = [
            ratio("service, memory", &[0.9, 0.91, 0.92]),
            ratio("service, Redis", &[1.5]),
        ];
        let text = write(&ratios);
        assert_eq!(read(&text).unwrap(), ratios);
        assert!(compare(&ratios, &read(&text).unwrap()).starts_with("0 of 2 ratios"));
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        assert!(read("# Performance\n").is_err());
        assert!(read(&format!("{HEAD}\nOne hot key\t0.9\n")).is_err());
    }
}
