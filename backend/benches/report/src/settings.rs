//! The command line of the report, and the parts of a measurement.
//!
//! Come here for another option or part. The workloads, which are parts too, are in `workloads`.

use std::path::PathBuf;

use clap::Parser;

use crate::Result;
use crate::workload::Workload;
use crate::workloads::WORKLOADS;
use crate::workloads_on_demand::WORKLOADS_ON_DEMAND;

/// The programs and servers, and the length of the measurement. The database is migrated and filled before.
#[derive(Debug, Parser)]
pub struct Settings {
    /// The service
    #[arg(long)]
    pub backend: PathBuf,
    /// The reference programs
    #[arg(long)]
    pub reference: PathBuf,
    /// URL of PostgreSQL
    #[arg(long)]
    pub database_url: String,
    /// Port of Redis
    #[arg(long)]
    pub redis_port: u16,
    /// Port of the same Redis for TLS
    #[arg(long)]
    pub redis_tls_port: u16,
    /// The file of the authority of its certificate
    #[arg(long)]
    pub redis_authority: PathBuf,
    /// The masters of a Redis Cluster, as in `CACHE_REDIS_NODES`
    #[arg(long)]
    pub redis_nodes: String,
    /// Port of Memcached
    #[arg(long)]
    pub memcached_port: u16,
    /// A directory for the files of the run
    #[arg(long)]
    pub directory: PathBuf,
    /// Id of the first widget
    #[arg(long)]
    pub first_id: i64,
    /// The number of widgets
    #[arg(long)]
    pub entries: i64,
    /// The size of the answer with the first widget, in bytes
    #[arg(long)]
    pub body_bytes: usize,
    /// A user who may change all widgets
    #[arg(long)]
    pub username: String,
    /// The password of that user
    #[arg(long)]
    pub password: String,
    /// The number of rounds
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// The seconds of each program in a round
    #[arg(long, default_value_t = 2)]
    pub seconds: u64,
    /// The seconds of the load with new keys
    #[arg(long, default_value_t = 20)]
    pub growth_seconds: u64,
    /// The number of writes in the measurement of near caches
    #[arg(long, default_value_t = 10_000)]
    pub near_writes: usize,
    /// The entries of the largest group; a tenth of them for the tails
    #[arg(long, default_value_t = 1_000_000)]
    pub group_entries: u64,
    /// Connections of the load generator
    #[arg(long, default_value_t = 64)]
    pub connections: u32,
    /// The directory for performance.md, .svg and .tsv; without it, the tables are only printed
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// The file of an earlier run; the ratios that moved since are printed
    #[arg(long)]
    pub compare: Option<PathBuf>,
    /// Counts the instructions of one request instead, and writes them to this page
    #[arg(long)]
    pub instructions: Option<PathBuf>,
    /// Only these: names of workloads, `footprint`, `near-lag`, `tails`, `instances`, `groups` or `start`
    pub only: Vec<String>,
}

impl Settings {
    /// The widget whose answer has this size in KiB. It comes after the widgets of the other workloads.
    pub fn body_id(&self, kibibytes: u16) -> i64 {
        self.first_id + self.entries - 1 + i64::from(kibibytes)
    }

    /// The wanted workloads.
    pub fn workloads(&self) -> Vec<&'static Workload> {
        let all = WORKLOADS.iter().chain(WORKLOADS_ON_DEMAND);
        all.filter(|workload| self.wants(workload.name)).collect()
    }

    /// Whether a part of the measurement is wanted.
    pub fn wants(&self, part: &str) -> bool {
        if !self.only.is_empty() {
            return self.only.iter().any(|only| only == part);
        }
        let mut on_demand = WORKLOADS_ON_DEMAND.iter().map(|workload| workload.name);
        ![INSTANCES, GROUPS, START].contains(&part) && !on_demand.any(|name| name == part)
    }

    /// # Errors
    /// A name that is no part.
    pub fn check_parts(&self) -> Result<()> {
        let workloads = WORKLOADS.iter().chain(WORKLOADS_ON_DEMAND);
        let workloads = workloads.map(|workload| workload.name);
        let parts: Vec<&str> = workloads.chain(OTHER_PARTS).collect();
        match self
            .only
            .iter()
            .find(|only| !parts.contains(&only.as_str()))
        {
            Some(unknown) => {
                Err(format!("there is no `{unknown}`, but {}", parts.join(", ")).into())
            }
            None => Ok(()),
        }
    }
}

/// The names of the parts that are no workloads. The last three are measured only where they are named.
pub const FOOTPRINT: &str = "footprint";
pub const NEAR_LAG: &str = "near-lag";
pub const TAILS: &str = "tails";
pub const INSTANCES: &str = "instances";
pub const GROUPS: &str = "groups";
pub const START: &str = "start";
const OTHER_PARTS: [&str; 6] = [FOOTPRINT, NEAR_LAG, TAILS, INSTANCES, GROUPS, START];
