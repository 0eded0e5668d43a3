//! The report of `scripts/bench`: starts the programs, puts load on them in turn with wrk, and writes the results as
//! tables and a picture. Linux only: processor time comes from `/proc`.
//!
//! Come here for the order of a measurement. Workloads and goals are in `workloads`.

mod client;
mod comparison;
mod databases;
mod fill;
mod footprint;
mod instructions;
mod launcher;
mod load;
mod near_lag;
mod page;
mod plot;
mod program;
mod running;
mod summary;
mod tails;
mod workload;
mod workloads;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;

use client::Client;
use databases::Databases;
use fill::fill;
use footprint::Footprint;
use launcher::{Launcher, is_installed};
use load::Generator;
use program::{Program, ServiceCache};
use running::Running;
use summary::{Outcome, Series, verdicts};
use workload::{Requests, Workload};
use workloads::WORKLOADS;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The programs and servers, and the length of the measurement. The database is migrated and filled before.
#[derive(Debug, Parser)]
pub struct Settings {
    /// The service
    #[arg(long)]
    backend: PathBuf,
    /// The reference programs
    #[arg(long)]
    reference: PathBuf,
    /// URL of PostgreSQL
    #[arg(long)]
    database_url: String,
    /// Port of Redis
    #[arg(long)]
    redis_port: u16,
    /// Port of the same Redis for TLS
    #[arg(long)]
    redis_tls_port: u16,
    /// The file of the authority of its certificate
    #[arg(long)]
    redis_authority: PathBuf,
    /// The masters of a Redis Cluster, as in `CACHE_REDIS_NODES`
    #[arg(long)]
    redis_nodes: String,
    /// Port of Memcached
    #[arg(long)]
    memcached_port: u16,
    /// A directory for the files of the run
    #[arg(long)]
    directory: PathBuf,
    /// Id of the first widget
    #[arg(long)]
    first_id: i64,
    /// The number of widgets
    #[arg(long)]
    entries: i64,
    /// The size of the answer with the first widget, in bytes
    #[arg(long)]
    body_bytes: usize,
    /// A user who may change all widgets
    #[arg(long)]
    username: String,
    /// The password of that user
    #[arg(long)]
    password: String,
    /// The number of rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The seconds of each program in a round
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// The seconds of the load with new keys
    #[arg(long, default_value_t = 20)]
    growth_seconds: u64,
    /// The number of writes in the measurement of near caches
    #[arg(long, default_value_t = 10_000)]
    near_writes: usize,
    /// Connections of the load generator
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// The directory for performance.md, .svg and .tsv; without it, the tables are only printed
    #[arg(long)]
    output: Option<PathBuf>,
    /// The file of an earlier run; the ratios that moved since are printed
    #[arg(long)]
    compare: Option<PathBuf>,
    /// Counts the instructions of one request instead, and writes them to this page
    #[arg(long)]
    instructions: Option<PathBuf>,
    /// Only these: names of workloads, `footprint`, `near-lag` or `tails`
    only: Vec<String>,
}

impl Settings {
    /// The widget whose answer has this size in KiB. It comes after the widgets of the other workloads.
    fn body_id(&self, kibibytes: u16) -> i64 {
        self.first_id + self.entries - 1 + i64::from(kibibytes)
    }

    /// Whether a part of the measurement is wanted.
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    /// # Errors
    /// A name that is no part.
    fn check_parts(&self) -> Result<()> {
        let workloads = WORKLOADS.iter().map(|workload| workload.name);
        let parts: Vec<&str> = workloads.chain([FOOTPRINT, NEAR_LAG, TAILS]).collect();
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

/// The names of the parts that are no workloads.
const FOOTPRINT: &str = "footprint";
const NEAR_LAG: &str = "near-lag";
const TAILS: &str = "tails";

/// The path of a widget.
fn path(id: i64) -> String {
    format!("/api/v1/widgets/{id}")
}

fn main() -> Result<()> {
    let settings = Settings::parse();
    settings.check_parts()?;
    let earlier = match &settings.compare {
        Some(file) => Some(comparison::read(&fs::read_to_string(file)?)?),
        None => None,
    };
    let workloads: Vec<&'static Workload> = WORKLOADS
        .iter()
        .filter(|workload| settings.wants(workload.name))
        .collect();
    let mut launcher = Launcher {
        settings: &settings,
        body: String::new(),
        upstream: 0,
        databases: None,
    };
    if let Some(page) = &settings.instructions {
        return instructions::measure(&launcher, &settings, page);
    }
    let disabled = Program::service(ServiceCache::Disabled);
    // The token is part of the template, so that all databases know it.
    let token = {
        let template = launcher.start(disabled)?;
        let body = Client::connect(template.port)?.get(&path(settings.first_id))?;
        if body.body.len() != settings.body_bytes {
            let found = body.body.len();
            return Err(format!("a widget has {found} bytes: {}", body.body).into());
        }
        launcher.body = body.body;
        log_in(&settings, &template)?
    };
    launcher.databases = Some(Databases::of(settings.database_url.clone()));
    let uncached = launcher.start(disabled)?;
    launcher.upstream = uncached.port;
    let generator = Generator::new(&settings, token.clone())?;

    progress("starting the programs and filling the caches");
    let mut programs = BTreeMap::from([(disabled, uncached)]);
    let footprint = if settings.wants(FOOTPRINT) {
        let in_memory = Program::service(ServiceCache::Memory);
        let filled = launcher.start(in_memory)?;
        fill(&settings, &filled)?;
        let footprint = Footprint::measure(&launcher, &generator, &filled)?;
        programs.insert(in_memory, filled);
        Some(footprint)
    } else {
        None
    };
    let lag = if settings.wants(NEAR_LAG) {
        Some(near_lag::measure(&launcher, &token)?)
    } else {
        None
    };
    let of_workloads = workloads.iter().flat_map(|workload| workload.subjects);
    let of_tails = settings.wants(TAILS).then_some(tails::PROGRAMS);
    for program in of_workloads
        .map(|subject| subject.program)
        .chain(of_tails.into_iter().flatten())
    {
        let is_missing = matches!(program, Program::Nginx { .. }) && !is_installed("nginx");
        if is_missing || programs.contains_key(&program) {
            continue;
        }
        let running = launcher.start(program)?;
        if needs_filling(&workloads, program) {
            fill(&settings, &running)?;
        }
        programs.insert(program, running);
    }

    let outcomes = workloads
        .iter()
        .map(|workload| measure(workload, &launcher, &generator, &programs))
        .collect::<Result<Vec<_>>>()?;
    let tails = if settings.wants(TAILS) {
        tails::measure(&settings, &token, &programs)?
    } else {
        Vec::new()
    };
    let findings = page::findings(
        &outcomes,
        &verdicts(&outcomes, footprint.as_ref(), &tails),
        footprint.as_ref().map(|footprint| &footprint.growth),
        lag.as_ref(),
        &tails,
    );
    println!("{findings}");
    let ratios = comparison::ratios(&outcomes);
    if let Some(earlier) = earlier {
        println!("{}", comparison::compare(&earlier, &ratios));
    }
    if let Some(output) = &settings.output {
        let page = page::page(&settings, launcher.body.len(), &findings);
        fs::write(output.join("performance.md"), page)?;
        fs::write(output.join("performance.svg"), plot::plot(&outcomes))?;
        fs::write(output.join("performance.tsv"), comparison::write(&ratios))?;
    }
    Ok(())
}

/// Whether all keys are requested from a program, so that its cache must be filled first.
fn needs_filling(workloads: &[&Workload], program: Program) -> bool {
    let reads_all_keys = workloads
        .iter()
        .filter(|workload| {
            matches!(
                workload.requests,
                Requests::Zipf | Requests::ZipfWithWrites | Requests::ZipfHalfWrites
            )
        })
        .flat_map(|workload| workload.subjects)
        .any(|subject| subject.program == program);
    reads_all_keys && program.has_cache()
}

/// Runs all rounds of a workload.
fn measure(
    workload: &'static Workload,
    launcher: &Launcher<'_>,
    generator: &Generator<'_>,
    programs: &BTreeMap<Program, Running>,
) -> Result<Outcome> {
    let settings = launcher.settings;
    let mut series: Vec<Series> = workload
        .subjects
        .iter()
        .filter(|subject| programs.contains_key(&subject.program))
        .map(|subject| Series {
            subject,
            samples: Vec::new(),
        })
        .collect();
    for round in 1..=settings.rounds {
        progress(&format!(
            "{}: round {round} of {}",
            workload.title, settings.rounds
        ));
        let mut order: Vec<&mut Series> = series.iter_mut().collect();
        // So that no program always follows the same one.
        if round % 2 == 0 {
            order.reverse();
        }
        for series in order {
            let program = series.subject.program;
            let running = &programs[&program];
            // The program must still answer correctly, or the figures are of something else.
            let run = |running: &Running| {
                let sample = generator.run(running, workload.requests, settings.seconds)?;
                launcher.wait_for_right_answer(program, running)?;
                Ok(sample)
            };
            let sample = if workload.requests == Requests::Once && program.has_cache() {
                // A new namespace and a new process: keys that were read before are no misses.
                let namespace = format!("misses-{round}");
                let fresh = launcher.start_with(program, &[("CACHE_NAMESPACE", &namespace)])?;
                run(&fresh)
            } else {
                if round == 1 {
                    generator.run(running, workload.requests, 1)?;
                }
                run(running)
            };
            series
                .samples
                .push(sample.map_err(|error: Box<dyn Error>| format!("{program}: {error}"))?);
        }
    }
    Ok(Outcome { workload, series })
}

/// An access token.
fn log_in(settings: &Settings, program: &Running) -> Result<String> {
    let credentials = format!(
        "{{\"username\":\"{}\",\"password\":\"{}\"}}",
        settings.username, settings.password
    );
    let answer = Client::connect(program.port)?.post("/api/v1/auth/login", &credentials)?;
    let token = answer
        .body
        .split_once("\"access_token\":\"")
        .and_then(|(_, rest)| rest.split_once('"'));
    Ok(token
        .ok_or_else(|| format!("no token: {}", answer.body))?
        .0
        .to_owned())
}

fn progress(message: &str) {
    eprintln!("    {message}");
}
