//! What a workload is: its requests, its programs and their goals.
//!
//! Come here for another kind of request or of goal. The workloads themselves are in `workloads`.

use crate::program::Program;

/// The requests of a workload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// Reads of one widget.
    OneKey,
    /// Reads of all widgets, in a Zipf distribution.
    Zipf,
    /// The same, but every twentieth request changes its widget.
    ZipfWithWrites,
    /// The same, but every second request changes its widget.
    ZipfHalfWrites,
    /// Changes of all widgets, in a Zipf distribution.
    Writes,
    /// The same over one connection.
    SingleWrites,
    /// One read of every widget.
    Once,
    /// Reads with a new key each.
    NewKeys,
    /// Reads of all widgets, each as often as the others.
    Spread,
    /// Reads of one list of 100 widgets, as a client that accepts zstd.
    List,
    /// Reads of one widget over 8 000 connections.
    ManyConnections,
    /// Reads of the one widget whose answer has this size in KiB.
    Body(u16),
}

impl Requests {
    /// Whether all keys are read, so that a cache must be filled first.
    pub const fn reads_all_keys(self) -> bool {
        matches!(
            self,
            Self::Zipf | Self::ZipfWithWrites | Self::ZipfHalfWrites | Self::Spread
        )
    }

    /// Whether a new process answers as one does that has run for long: no cache has to be filled, and no row is changed.
    pub const fn suits_new_process(self) -> bool {
        matches!(self, Self::OneKey | Self::List | Self::Body(_))
    }

    /// Whether each request must be a hit, with any key.
    pub const fn hits_all_keys(self) -> bool {
        matches!(self, Self::Zipf | Self::Spread)
    }
}

/// The figure by which two programs are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Requests per second.
    Rate,
    /// Processor time per request, for workloads in which the load generator is the bottleneck.
    ProcessorTime,
}

/// A goal: a share of another program's figure.
#[derive(Clone, Copy)]
pub struct Goal {
    /// The goal in words.
    pub text: &'static str,
    /// The other program, in the same workload.
    pub against: Program,
    /// The compared figure.
    pub measure: Measure,
    /// The least share.
    pub share: f64,
}

impl Goal {
    /// A share of the requests per second.
    pub const fn rate(text: &'static str, against: Program, share: f64) -> Self {
        Self {
            text,
            against,
            measure: Measure::Rate,
            share,
        }
    }

    /// A share by processor time.
    pub const fn processor_time(text: &'static str, against: Program, share: f64) -> Self {
        Self {
            text,
            against,
            measure: Measure::ProcessorTime,
            share,
        }
    }
}

/// A program in a workload.
pub struct Subject {
    /// The program.
    pub program: Program,
    /// The program with which the table compares it, in the same workload.
    pub against: Option<Program>,
    /// Its goals.
    pub goals: &'static [Goal],
    /// The goal for its median latency.
    pub latency_goal: Option<LatencyGoal>,
}

/// The most milliseconds by which a program's median latency may exceed that of the program in its table row.
#[derive(Clone, Copy)]
pub struct LatencyGoal {
    /// The goal in words.
    pub text: &'static str,
    /// The bound.
    pub milliseconds: f64,
}

impl Subject {
    /// A program that is compared with no other and has no goal.
    pub const fn new(program: Program) -> Self {
        Self {
            program,
            against: None,
            goals: &[],
            latency_goal: None,
        }
    }

    /// The same with a goal for its median latency.
    pub const fn adds_at_most(mut self, milliseconds: f64, text: &'static str) -> Self {
        self.latency_goal = Some(LatencyGoal { text, milliseconds });
        self
    }

    /// The same, compared with another program in the table.
    pub const fn against(mut self, other: Program) -> Self {
        self.against = Some(other);
        self
    }

    /// The same with these goals.
    pub const fn goals(mut self, goals: &'static [Goal]) -> Self {
        self.goals = goals;
        self
    }
}

/// One kind of load, and its programs.
pub struct Workload {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name on the page.
    pub title: &'static str,
    /// The description on the page.
    pub description: &'static str,
    /// The requests.
    pub requests: Requests,
    /// The programs. Those that are compared stand next to each other, so that they are measured shortly one after the
    /// other.
    pub subjects: &'static [Subject],
}
