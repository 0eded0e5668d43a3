//! The evaluation of the samples: medians, shares, and the goals.
//!
//! Come here to add a goal.

use crate::compression::Sizes;
use crate::footprint::Footprint;
use crate::load::Sample;
use crate::program::Program;
use crate::tails::{STATIC_BYTES, Tail, reference_of};
use crate::workload::{Measure, Requests, Subject, Workload};

/// The median; of an even number of values, the mean of the middle two.
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

/// A workload and its samples.
pub struct Outcome {
    /// The workload.
    pub workload: &'static Workload,
    /// Its programs, without those that are not installed.
    pub series: Vec<Series>,
}

/// A program in a workload, with one sample for each round.
pub struct Series {
    /// The program.
    pub subject: &'static Subject,
    /// The samples, in the order of the rounds.
    pub samples: Vec<Sample>,
}

impl Series {
    /// The median of a figure.
    pub fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(figure))
    }
}

impl Outcome {
    /// The share of another program's figure that a program reaches: the median of the shares in each round, since a
    /// disturbance of a round disturbs both. `None` where the other program was not measured.
    pub fn share(&self, series: &Series, against: Program, measure: Measure) -> Option<f64> {
        self.shares(series, against, measure).map(median)
    }

    /// The same, as the shares in each round.
    pub fn shares(&self, series: &Series, against: Program, measure: Measure) -> Option<Vec<f64>> {
        let other = self
            .series
            .iter()
            .find(|other| other.subject.program == against)?;
        let shares = series.samples.iter().zip(&other.samples);
        let share = |(own, other): (&Sample, &Sample)| match measure {
            Measure::Rate => own.rate / other.rate,
            // Less time is better.
            Measure::ProcessorTime => other.processor / own.processor,
        };
        Some(shares.map(share).collect())
    }

    /// The milliseconds by which the median latency of a program exceeds that of the one it is compared with: the median
    /// of the rounds.
    fn added_latency(&self, series: &Series) -> Option<f64> {
        let against = series.subject.against?;
        let other = self
            .series
            .iter()
            .find(|other| other.subject.program == against)?;
        let pairs = series.samples.iter().zip(&other.samples);
        Some(median(pairs.map(|(own, other)| own.p50 - other.p50)))
    }
}

/// A goal and its result.
pub struct Verdict {
    /// The goal, in words.
    pub goal: String,
    /// The bound.
    pub bound: String,
    /// The measured figure.
    pub measured: String,
    /// Whether the goal is reached.
    pub reached: bool,
}

impl Verdict {
    fn below(goal: &str, unit: &str, bound: f64, measured: f64) -> Self {
        Self {
            goal: goal.to_owned(),
            bound: format!("< {bound} {unit}"),
            measured: format!("{measured:.0} {unit}"),
            reached: measured < bound,
        }
    }
}

/// The goals of the workloads that were run, each with its figure.
pub fn verdicts(
    outcomes: &[Outcome],
    footprint: Option<&Footprint>,
    tails: &[Tail],
    lists: Option<&[Sizes; 2]>,
) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for outcome in outcomes {
        for series in &outcome.series {
            for goal in series.subject.goals {
                let Some(share) = outcome.share(series, goal.against, goal.measure) else {
                    continue;
                };
                verdicts.push(Verdict {
                    goal: match outcome.workload.requests {
                        Requests::Body(kibibytes) => format!("{kibibytes} KiB: {}", goal.text),
                        _ => goal.text.to_owned(),
                    },
                    bound: format!("≥ {:.2}", goal.share),
                    measured: format!("{share:.2}"),
                    // Compared as printed: the third digit is noise.
                    reached: (share * 100.0).round() >= (goal.share * 100.0).round(),
                });
            }
            if let Some(goal) = series.subject.latency_goal
                && let Some(added) = outcome.added_latency(series)
            {
                verdicts.push(Verdict {
                    goal: goal.text.to_owned(),
                    bound: format!("≤ {:.1} ms", goal.milliseconds),
                    measured: format!("{added:.2} ms"),
                    reached: added <= goal.milliseconds,
                });
            }
        }
    }
    verdicts.extend(lists.into_iter().flat_map(of_lists));
    verdicts.extend(tails.iter().filter_map(|tail| of_tail(tails, tail)));
    verdicts.extend(footprint.into_iter().flat_map(of_footprint));
    verdicts
}

/// The goal of a tail. One of static bytes is there to compare with.
fn of_tail(tails: &[Tail], tail: &Tail) -> Option<Verdict> {
    if tail.program == STATIC_BYTES {
        return None;
    }
    let reference = reference_of(tails, tail)?;
    let share = (tail.p99 / reference.p99).max(tail.p999 / reference.p999);
    Some(Verdict {
        goal: format!(
            "p99 and p99.9 at {} % of capacity, of static bytes: {}{}",
            tail.load, tail.program, tail.disturbance
        ),
        bound: "≤ 1.50".to_owned(),
        measured: format!("{share:.2}"),
        reached: share <= 1.5,
    })
}

/// The goals of compression.
fn of_lists([plain, compressed]: &[Sizes; 2]) -> [Verdict; 2] {
    let share = |goal: &str, share: f64| Verdict {
        goal: goal.to_owned(),
        bound: "≤ 0.35".to_owned(),
        measured: format!("{share:.2}"),
        reached: share <= 0.35,
    };
    [
        share(
            "bytes on the wire of a compressed list of 100 widgets, of one that is not",
            compressed.wire / plain.wire,
        ),
        share(
            "memory in Redis of a compressed list of 100 widgets, of one that is not",
            compressed.stored / plain.stored,
        ),
    ]
}

/// The goals of the memory and of the start.
fn of_footprint(footprint: &Footprint) -> [Verdict; 4] {
    let growth = &footprint.growth;
    [
        Verdict::below(
            "memory in use when idle",
            "MB",
            25.0,
            footprint.idle_megabytes,
        ),
        Verdict::below(
            "memory in use with 100 000 entries in the memory backend",
            "MB",
            100.0,
            footprint.filled_megabytes,
        ),
        Verdict {
            goal: "growth of the memory in use under new keys at the bound".to_owned(),
            bound: "≤ 5 %".to_owned(),
            measured: format!("{:.1} %", growth.percent()),
            reached: growth.percent() <= 5.0,
        },
        Verdict::below(
            "start to first answer",
            "ms",
            300.0,
            footprint.start_milliseconds,
        ),
    ]
}
