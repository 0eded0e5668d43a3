//! The report as text: Markdown that also reads well on a terminal.
//!
//! Come here to add a column. The figures are computed in `summary`.

use std::fmt::Write as _;

use crate::Settings;
use crate::footprint::Growth;
use crate::groups::GroupEnd;
use crate::instances::Together;
use crate::near_lag::Lag;
use crate::summary::{Outcome, Verdict};
use crate::tails::{Tail, reference_of};
use crate::workload::Measure;

/// A table whose columns line up. The first column is text, the others are figures.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(head: &[&str]) -> Self {
        let head = head.iter().map(ToString::to_string).collect();
        Self { rows: vec![head] }
    }

    fn write(&self, text: &mut String) {
        let columns = self.rows[0].len();
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().map(|row| row[column].chars().count());
                cells.max().unwrap_or_default().max(2)
            })
            .collect();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                let _ = if column == 0 {
                    write!(text, "| {cell:<width$} ")
                } else {
                    write!(text, "| {cell:>width$} ")
                };
            }
            text.push_str("|\n");
            if number == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let _ = if column == 0 {
                        write!(text, "|{}", "-".repeat(width + 2))
                    } else {
                        write!(text, "|{}:", "-".repeat(width + 1))
                    };
                }
                text.push_str("|\n");
            }
        }
    }
}

/// The explanation of the figures: written by hand, and part of every page.
const REASONS: &str = include_str!("reasons.md");

/// The part of the page that a run writes: goals and tables.
pub fn findings(
    outcomes: &[Outcome],
    verdicts: &[Verdict],
    growth: Option<&Growth>,
    lag: Option<&Lag>,
    tails: &[Tail],
) -> String {
    let mut text = String::from("## Goals\n\n");
    let mut table = Table::new(&["Goal", "Bound", "Measured", "Reached"]);
    for verdict in verdicts {
        table.rows.push(vec![
            verdict.goal.clone(),
            verdict.bound.clone(),
            verdict.measured.clone(),
            if verdict.reached { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table.write(&mut text);
    for outcome in outcomes {
        let workload = outcome.workload;
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n",
            workload.title, workload.description
        );
        let mut table = Table::new(&[
            "Program",
            "Requests/s",
            "Share",
            "CPU µs/request",
            "Share",
            "p50 ms",
            "p99 ms",
            "Compared with",
        ]);
        for series in &outcome.series {
            let against = series.subject.against;
            let share = |measure| {
                against
                    .and_then(|against| outcome.share(series, against, measure))
                    .map_or_else(String::new, |share| format!("{share:.2}"))
            };
            table.rows.push(vec![
                series.subject.program.to_string(),
                thousands(series.median(|sample| sample.rate)),
                share(Measure::Rate),
                format!("{:.1}", series.median(|sample| sample.processor)),
                share(Measure::ProcessorTime),
                format!("{:.2}", series.median(|sample| sample.p50)),
                format!("{:.2}", series.median(|sample| sample.p99)),
                against
                    .map(|against| against.to_string())
                    .unwrap_or_default(),
            ]);
        }
        table.write(&mut text);
    }
    if !tails.is_empty() {
        describe_tails(&mut text, tails);
    }
    if let Some(growth) = growth {
        describe_growth(&mut text, growth);
    }
    if let Some(lag) = lag {
        describe_lag(&mut text, lag);
    }
    text
}

/// The tables of the parts that are measured only where they are named.
pub fn findings_on_demand(
    instances: &[Together],
    group_ends: &[GroupEnd],
    start: Option<(i64, f64)>,
) -> String {
    let mut text = String::new();
    if !instances.is_empty() {
        text.push_str(
            "
## Several instances on one Redis

Hits in a Zipf distribution. The instances, Redis and the load share the machine, so that more instances answer no more in all. What
Redis takes for a request says how many requests keep its one thread busy.

",
        );
        let mut table = Table::new(&[
            "Instances",
            "Requests/s",
            "CPU µs/request",
            "of Redis",
            "Redis is busy at",
        ]);
        for together in instances {
            table.rows.push(vec![
                together.instances.to_string(),
                thousands(together.rate),
                format!("{:.1}", together.processor),
                format!("{:.2}", together.redis),
                thousands(together.bound()),
            ]);
        }
        table.write(&mut text);
    }
    if !group_ends.is_empty() {
        text.push_str(
            "
## The end of a large group

The latency of a single PATCH that ends a group of so many entries, in Redis.

",
        );
        let mut table = Table::new(&["Entries", "Writes", "p50 ms", "max ms"]);
        for end in group_ends {
            let longest = end.milliseconds.iter().copied().fold(0.0, f64::max);
            table.rows.push(vec![
                thousands(count(usize::try_from(end.entries).unwrap_or_default())),
                thousands(count(end.milliseconds.len())),
                format!("{:.2}", end.median()),
                format!("{longest:.2}"),
            ]);
        }
        table.write(&mut text);
    }
    if let Some((keys, milliseconds)) = start {
        let _ = write!(
            text,
            "
## Start

From the start of an instance to its first answer, with {} keys in its database and in Redis: {milliseconds:.0} ms.
",
            thousands(count(usize::try_from(keys).unwrap_or_default())),
        );
    }
    text
}

fn describe_tails(text: &mut String, tails: &[Tail]) {
    text.push_str(
        "
## Tails

One hot key under an open load: requests are due at fixed times, and a latency counts from that time. The load is a part of the
program's own capacity. The shares are latencies of the program by those of static bytes with the same load and nothing beside
it. Two rows of static bytes have the writes too, made through
another service without and with a cache: what they lose is the machine's, and not a hit's.

",
    );
    let mut table = Table::new(&[
        "Program",
        "Load",
        "Requests/s",
        "p50 ms",
        "p99 ms",
        "Share",
        "p99.9 ms",
        "Share",
    ]);
    for tail in tails {
        let reference = reference_of(tails, tail);
        let share = |own: f64, of: fn(&Tail) -> f64| {
            reference.map_or_else(String::new, |other| format!("{:.2}", own / of(other)))
        };
        table.rows.push(vec![
            format!("{}{}", tail.program, tail.disturbance),
            format!("{} %", tail.load),
            thousands(tail.rate),
            format!("{:.2}", tail.p50),
            format!("{:.2}", tail.p99),
            share(tail.p99, |tail| tail.p99),
            format!("{:.2}", tail.p999),
            share(tail.p999, |tail| tail.p999),
        ]);
    }
    table.write(text);
}

fn describe_growth(text: &mut String, growth: &Growth) {
    let _ = write!(
        text,
        "
## New keys without end

A full memory backend of 16 MiB, and {} s of requests with a new key each, {} in all: the memory in use went from
{:.1} to {:.1} MB.
",
        growth.seconds,
        thousands(growth.keys),
        growth.megabytes_before,
        growth.megabytes_after,
    );
}

fn describe_lag(text: &mut String, lag: &Lag) {
    let _ = write!(
        text,
        "
## The lag of a near cache

Two instances with near caches, one key that is hot in both. After each of {writes} writes through the first, the key is
read through both, repeatedly: the first never gave an old answer. The other gave old answers after {late} of the writes;
from the acknowledgement of the write to the last old answer:

",
        writes = thousands(count(lag.writes())),
        late = thousands(count(lag.late())),
    );
    let mut table = Table::new(&["", "p50 ms", "p99 ms", "max ms"]);
    table.rows.push(vec![
        "last old answer of another instance".to_owned(),
        format!("{:.2}", lag.percentile(50)),
        format!("{:.2}", lag.percentile(99)),
        format!("{:.2}", lag.percentile(100)),
    ]);
    table.write(text);
}

/// The whole page.
pub fn page(settings: &Settings, body_bytes: usize, findings: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "<!-- The cost of the service beside its reference programs. Written by scripts/bench. -->
# Performance

`scripts/bench` measures the service and its *reference programs*, which do one thing and nothing
else: answer static bytes, one Redis GET, one Memcached get, one row of PostgreSQL, one look-up in moka
([reference.rs](../backend/benches/report/src/bin/reference.rs)). Programs that are compared run next
to each other, in {rounds} rounds of {seconds} s whose order alternates; a figure is the median of the rounds, a
share the median of the shares in each round. Where one answer is asked for, each round has new processes: one process of a program
is up to 3 % faster than another.

Last run: {cores} cores that programs, servers and load generator (wrk, {connections} connections) share; answers of
{body_bytes} bytes; release build, logs off unless said otherwise.

The shares with their spreads are in [performance.tsv](performance.tsv), for `./scripts/bench --compare`. The instructions of one request, which repeat on a busy machine too, are in [instructions.md](instructions.md).

How to read it: *Requests/s* is bounded by everything on the machine together, *CPU µs/request* is the
measured program's alone. A share above 1 is better than what it is compared with. The thin line on a bar goes
from the slowest round to the fastest; a red mark is a goal.

![Requests per second of each program in each workload](performance.svg)

{findings}{REASONS}",
        rounds = settings.rounds,
        seconds = settings.seconds,
        connections = settings.connections,
    )
}

/// The number, with a space between groups of three digits.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A count as a number that can be drawn and printed.
pub fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
