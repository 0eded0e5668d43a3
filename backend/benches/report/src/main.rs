//! The report of `scripts/bench`: starts the programs, puts load on them in turn with wrk, and writes the results as
//! tables and a picture. Linux only: processor time comes from `/proc`.
//!
//! Come here for the order of a measurement. Workloads and goals are in `workloads`.

mod client;
mod comparison;
mod compression;
mod databases;
mod fill;
mod footprint;
mod groups;
mod idle;
mod instances;
mod instructions;
mod launcher;
mod load;
mod near_lag;
mod page;
mod plot;
mod program;
mod redis_server;
mod rounds;
mod running;
mod settings;
mod slow_clients;
mod summary;
mod tails;
mod workload;
mod workloads;
mod workloads_on_demand;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use clap::Parser;

use client::Client;
use databases::Databases;
use fill::fill;
use footprint::{Footprint, start_milliseconds};
use launcher::{Launcher, is_installed};
use load::Generator;
use program::{Program, ServiceCache};
use rounds::{measure, needs_filling};
use running::Running;
use settings::{FOOTPRINT, GROUPS, INSTANCES, NEAR_LAG, START, Settings, TAILS};
use summary::{Outcome, verdicts};
use workload::{Requests, Workload};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

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
    let workloads = settings.workloads();
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
    let instances = if settings.wants(INSTANCES) {
        instances::measure(&launcher, &generator)?
    } else {
        Vec::new()
    };
    let wants_lists = workloads
        .iter()
        .any(|workload| workload.requests == Requests::List);
    let lists = wants_lists
        .then(|| compression::measure(&launcher))
        .transpose()?;
    start_all(&launcher, &workloads, &mut programs)?;

    let start = if settings.wants(START) {
        Some(start_milliseconds(&launcher)?)
    } else {
        None
    };
    let outcomes = measure_all(&workloads, &launcher, &generator, &programs)?;
    let mut tails = Vec::new();
    let mut group_ends = Vec::new();
    if settings.wants(TAILS) {
        tails = tails::measure(&settings, &token, &programs, &tails::CASES)?;
    }
    if settings.wants(GROUPS) {
        let cases = &tails::CASES_WITH_GROUPS;
        tails.extend(tails::measure(&settings, &token, &programs, cases)?);
        group_ends = groups::measure(&settings, &token, &programs)?;
    }
    let findings = page::findings(
        &outcomes,
        &verdicts(&outcomes, footprint.as_ref(), &tails, lists.as_ref()),
        footprint.as_ref().map(|footprint| &footprint.growth),
        lag.as_ref(),
        &tails,
    ) + &page::findings_on_demand(
        &instances,
        &group_ends,
        start.map(|start| (settings.entries, start)),
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

/// Measures the workloads. Those that read all keys come first, because the filled entries expire after ten minutes. The
/// outcomes are in the order of the page.
fn measure_all(
    workloads: &[&'static Workload],
    launcher: &Launcher<'_>,
    generator: &Generator<'_>,
    programs: &BTreeMap<Program, Running>,
) -> Result<Vec<Outcome>> {
    let mut order: Vec<usize> = (0..workloads.len()).collect();
    order.sort_by_key(|place| !workloads[*place].requests.reads_all_keys());
    let mut outcomes = BTreeMap::new();
    for place in order {
        let outcome = measure(workloads[place], launcher, generator, programs)?;
        outcomes.insert(place, outcome);
    }
    Ok(outcomes.into_values().collect())
}

/// Starts the programs of the workloads and of the tails that do not run yet, and fills their caches.
fn start_all(
    launcher: &Launcher<'_>,
    workloads: &[&Workload],
    programs: &mut BTreeMap<Program, Running>,
) -> Result<()> {
    let settings = launcher.settings;
    let of_workloads = workloads.iter().flat_map(|workload| workload.subjects);
    let of_workloads = of_workloads.map(|subject| subject.program);
    let of_start = settings
        .wants(START)
        .then_some(Program::service(ServiceCache::Redis));
    let wants_tails = settings.wants(TAILS) || settings.wants(GROUPS);
    let of_tails = wants_tails.then_some(tails::PROGRAMS);
    for program in of_workloads
        .chain(of_tails.into_iter().flatten())
        .chain(of_start)
    {
        let is_missing = matches!(program, Program::Nginx { .. }) && !is_installed("nginx");
        if is_missing || programs.contains_key(&program) {
            continue;
        }
        let running = launcher.start(program)?;
        // The start is measured beside a full cache.
        let is_filled_for_start =
            settings.wants(START) && program == Program::service(ServiceCache::Redis);
        if is_filled_for_start || needs_filling(workloads, program) {
            fill(settings, &running)?;
        }
        programs.insert(program, running);
    }
    Ok(())
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
