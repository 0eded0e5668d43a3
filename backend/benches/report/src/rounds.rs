//! The rounds of a workload: each program in turn, and its answer afterwards.
//!
//! Come here to change the order of the programs. The load itself is in `load`.

use std::collections::BTreeMap;
use std::error::Error;

use crate::fill::check_hits;
use crate::idle::IdleConnections;
use crate::launcher::Launcher;
use crate::load::Generator;
use crate::program::{Addition, Program};
use crate::running::Running;
use crate::slow_clients::SlowClients;
use crate::summary::{Outcome, Series};
use crate::workload::{Requests, Workload};
use crate::{Result, progress};

/// Whether all keys are requested from a program, so that its cache must be filled first.
pub fn needs_filling(workloads: &[&Workload], program: Program) -> bool {
    let reads_all_keys = workloads
        .iter()
        .filter(|workload| workload.requests.reads_all_keys())
        .flat_map(|workload| workload.subjects)
        .any(|subject| subject.program == program);
    reads_all_keys && program.has_cache()
}

/// Runs all rounds of a workload.
pub fn measure(
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
                let has = |addition| program.addition() == addition;
                let _idle = has(Addition::IdleConnections)
                    .then(|| IdleConnections::open(settings, running))
                    .transpose()?;
                let _slow = has(Addition::SlowClients)
                    .then(|| SlowClients::begin(settings, running))
                    .transpose()?;
                let sample = generator.run(running, workload.requests, settings.seconds)?;
                launcher.wait_for_right_answer(program, running)?;
                Ok(sample)
            };
            let sample = if workload.requests == Requests::Once && program.has_cache() {
                // A new namespace and a new process: keys that were read before are no misses.
                let namespace = format!("misses-{round}");
                let fresh = launcher.start_with(program, &[("CACHE_NAMESPACE", &namespace)])?;
                run(&fresh)
            } else if workload.requests.suits_new_process() {
                // One process of a program is up to 3 % faster than another: its pages lie elsewhere in the memory.
                let fresh = launcher.start(program)?;
                generator.run(&fresh, workload.requests, 1)?;
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
    for series in &series {
        let program = series.subject.program;
        if workload.requests.hits_all_keys() && program.has_cache() {
            check_hits(settings, &programs[&program])
                .map_err(|error| format!("{program}, after its rounds: {error}"))?;
        }
    }
    Ok(Outcome { workload, series })
}
