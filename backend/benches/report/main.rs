//! The report of `scripts/bench`: starts the programs, has wrk put load on them in turn, and writes what
//! came of it as tables and a picture. Linux only: processor time comes from `/proc`.

mod client;
mod load;
mod page;
mod plot;
mod program;
mod summary;
mod workload;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::thread::{self, sleep};
use std::time::Duration;

use clap::Parser;

use client::Client;
use load::{Generator, Sample};
use program::{Launcher, Program, is_installed};
use summary::{Footprint, Outcome, Series, median, verdicts};
use workload::{Requests, Subject, WORKLOADS, Workload};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Connections that fill a cache before its hits are measured.
const FILLERS: i64 = 4;
/// Starts whose time is taken.
const STARTS: usize = 5;

/// Where the programs and servers are, and how long to measure. The database is migrated and filled.
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
    /// Port of Memcached
    #[arg(long)]
    memcached_port: u16,
    /// A directory for the files of the run
    #[arg(long)]
    directory: PathBuf,
    /// Id of the first widget
    #[arg(long)]
    first_id: i64,
    /// How many widgets there are
    #[arg(long)]
    entries: i64,
    /// How many bytes the answer to the first widget has
    #[arg(long)]
    body_bytes: usize,
    /// Somebody who may change all widgets
    #[arg(long)]
    username: String,
    /// The password
    #[arg(long)]
    password: String,
    /// How often each program is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// For how long
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Connections of the load generator
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Where to write performance.md and performance.svg; without it, the tables are only printed
    #[arg(long)]
    output: Option<PathBuf>,
}

/// The path of a widget.
fn path(id: i64) -> String {
    format!("/api/v1/widgets/{id}")
}

fn main() -> Result<()> {
    let settings = Settings::parse();
    let mut launcher = Launcher {
        settings: &settings,
        body: String::new(),
        upstream: 0,
    };
    let disabled = find("service, cache disabled")?;
    let uncached = launcher.start(disabled, "")?;
    let body = Client::connect(uncached.port)?.get(&path(settings.first_id))?;
    if body.body.len() != settings.body_bytes {
        let found = body.body.len();
        return Err(format!("a widget has {found} bytes: {}", body.body).into());
    }
    launcher.body = body.body;
    launcher.upstream = uncached.port;
    let generator = Generator::new(&settings, log_in(&settings, &uncached)?)?;

    progress("starting the programs and filling the caches");
    let in_memory = find("service, memory")?;
    let filled = launcher.start(in_memory, "")?;
    fill(&settings, &filled)?;
    let footprint = footprint(&launcher, &filled)?;
    let mut programs: BTreeMap<&str, Program> =
        BTreeMap::from([(disabled.name, uncached), (in_memory.name, filled)]);
    for subject in WORKLOADS.iter().flat_map(|workload| workload.subjects) {
        if programs.contains_key(subject.name) {
            continue;
        }
        if subject.name.starts_with("nginx") && !is_installed("nginx") {
            continue;
        }
        let program = launcher.start(subject, "")?;
        // Those on Redis share what is in Redis.
        if subject.caches() && !subject.name.starts_with("service, Redis, ") {
            fill(&settings, &program)?;
        }
        programs.insert(subject.name, program);
    }

    let outcomes = WORKLOADS
        .iter()
        .map(|workload| measure(workload, &launcher, &generator, &programs))
        .collect::<Result<Vec<_>>>()?;
    let tables = page::tables(&outcomes, &verdicts(&outcomes, &footprint));
    println!("{tables}");
    if let Some(output) = &settings.output {
        let page = page::page(&settings, launcher.body.len(), &tables);
        fs::write(output.join("performance.md"), page)?;
        fs::write(output.join("performance.svg"), plot::plot(&outcomes))?;
    }
    Ok(())
}

/// Runs all rounds of a workload.
fn measure(
    workload: &'static Workload,
    launcher: &Launcher<'_>,
    generator: &Generator<'_>,
    programs: &BTreeMap<&str, Program>,
) -> Result<Outcome> {
    let settings = launcher.settings;
    let mut series: Vec<Series> = workload
        .subjects
        .iter()
        .filter(|subject| programs.contains_key(subject.name))
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
        // So that none always comes after the same other.
        if round % 2 == 0 {
            order.reverse();
        }
        for series in order {
            let running = &programs[series.subject.name];
            let run = |program| one_run(settings, generator, workload, series.subject, program);
            let sample = if workload.requests == Requests::Once && series.subject.caches() {
                // Whatever was read before would not be missed: another namespace, another process.
                let namespace = format!("misses-{round}");
                let fresh = launcher.start(series.subject, &namespace)?;
                run(&fresh)
            } else {
                if round == 1 {
                    generator.run(running, workload.requests, 1)?;
                }
                run(running)
            };
            let name = series.subject.name;
            series
                .samples
                .push(sample.map_err(|error| format!("{name}: {error}"))?);
        }
    }
    Ok(Outcome { workload, series })
}

/// Puts load on a program once, and makes sure that it then still does what is being measured.
fn one_run(
    settings: &Settings,
    generator: &Generator<'_>,
    workload: &Workload,
    subject: &Subject,
    program: &Program,
) -> Result<Sample> {
    let sample = generator.run(program, workload.requests, settings.seconds)?;
    let mut client = Client::connect(program.port)?;
    let path = path(settings.first_id);
    // A write may have come last.
    client.get(&path)?;
    match subject.problem(&client.get(&path)?) {
        Some(problem) => Err(problem.into()),
        None => Ok(sample),
    }
}

/// Measures what needs no load, but a service with all entries in its memory.
fn footprint(launcher: &Launcher<'_>, filled: &Program) -> Result<Footprint> {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(launcher.time_first_answer(find("service, Redis")?)?);
    }
    let idle = launcher.start(find("service, Redis")?, "")?;
    sleep(Duration::from_secs(1));
    Ok(Footprint {
        idle_megabytes: idle.resident_megabytes()?,
        filled_megabytes: filled.resident_megabytes()?,
        start_milliseconds: median(starts),
    })
}

/// Reads every widget, and makes sure that all of them are then in the cache.
fn fill(settings: &Settings, program: &Program) -> Result<()> {
    let read = |ids: Vec<i64>, expected: &str| -> std::result::Result<(), String> {
        let mut client = Client::connect(program.port).map_err(|error| error.to_string())?;
        for id in ids {
            let answer = client.get(&path(id)).map_err(|error| error.to_string())?;
            let status = answer.header("cache-status").unwrap_or_default();
            if answer.status != 200 || !status.contains(expected) {
                return Err(format!("widget {id}: status {}, {status}", answer.status));
            }
        }
        Ok(())
    };
    let ids = settings.first_id..settings.first_id + settings.entries;
    thread::scope(|scope| {
        let fillers: Vec<_> = (0..FILLERS)
            .map(|filler| {
                let own = ids.clone().filter(|id| id % FILLERS == filler).collect();
                scope.spawn(move || read(own, ""))
            })
            .collect();
        fillers
            .into_iter()
            .try_for_each(|filler| filler.join().map_err(|_| "a filler panicked".to_owned())?)
    })?;
    // A sample of them is enough.
    Ok(read(ids.step_by(97).collect(), "; hit;")?)
}

/// An access token.
fn log_in(settings: &Settings, program: &Program) -> Result<String> {
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

/// A subject of any workload, by its name.
fn find(name: &str) -> Result<&'static Subject> {
    WORKLOADS
        .iter()
        .flat_map(|workload| workload.subjects)
        .find(|subject| subject.name == name)
        .ok_or_else(|| format!("nothing measures {name}").into())
}

fn progress(message: &str) {
    eprintln!("    {message}");
}
