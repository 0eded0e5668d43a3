//! What the samples say: medians, ratios, and whether the goals are reached.

use crate::load::Sample;
use crate::workload::{Measure, Subject, Workload};

/// The middle one of the values; of an even number, the mean of the middle two.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// A workload that was run, with what came of it.
pub struct Outcome {
    /// Which workload.
    pub workload: &'static Workload,
    /// Those of its programs that could be measured.
    pub series: Vec<Series>,
}

/// A program in a workload, with a sample a round.
pub struct Series {
    /// The program.
    pub subject: &'static Subject,
    /// One a round, in order.
    pub samples: Vec<Sample>,
}

impl Series {
    /// The median of a figure.
    pub fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(figure))
    }
}

impl Outcome {
    /// The share that a program reaches of what it is compared with: the median over the rounds of
    /// the share in each, since what disturbs a round disturbs both.
    pub fn share(&self, series: &Series, measure: Measure) -> Option<f64> {
        let against = series.subject.against?;
        let other = self
            .series
            .iter()
            .find(|other| other.subject.name == against)?;
        let shares = series.samples.iter().zip(&other.samples);
        Some(median(shares.map(|(own, other)| match measure {
            Measure::Rate => own.rate / other.rate,
            // Less is better.
            Measure::ProcessorTime => other.processor / own.processor,
        })))
    }
}

/// What is measured once, without load.
pub struct Footprint {
    /// Megabytes of the service that has just started.
    pub idle_megabytes: f64,
    /// Megabytes of the service with all entries in the memory backend.
    pub filled_megabytes: f64,
    /// Milliseconds from the start to the first answer.
    pub start_milliseconds: f64,
}

/// A goal and what was reached.
pub struct Verdict {
    /// The goal, in words.
    pub goal: String,
    /// What was to be reached.
    pub bound: String,
    /// What was reached.
    pub measured: String,
    /// Whether that is enough.
    pub reached: bool,
}

/// All goals.
pub fn verdicts(outcomes: &[Outcome], footprint: &Footprint) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for outcome in outcomes {
        for series in &outcome.series {
            let Some(goal) = series.subject.goal else {
                continue;
            };
            let Some(share) = outcome.share(series, goal.measure) else {
                continue;
            };
            verdicts.push(Verdict {
                goal: goal.text.to_owned(),
                bound: format!("≥ {:.2}", goal.share),
                measured: format!("{share:.2}"),
                // As it is shown: the third digit is noise.
                reached: (share * 100.0).round() >= (goal.share * 100.0).round(),
            });
        }
    }
    for (goal, unit, bound, measured) in [
        (
            "memory in use when idle",
            "MB",
            25.0,
            footprint.idle_megabytes,
        ),
        (
            "memory in use with 100 000 entries in the memory backend",
            "MB",
            100.0,
            footprint.filled_megabytes,
        ),
        (
            "start to first answer",
            "ms",
            300.0,
            footprint.start_milliseconds,
        ),
    ] {
        verdicts.push(Verdict {
            goal: goal.to_owned(),
            bound: format!("< {bound} {unit}"),
            measured: format!("{measured:.0} {unit}"),
            reached: measured < bound,
        });
    }
    verdicts
}
