//! The instructions of one request, counted by valgrind's callgrind.
//!
//! Come here to add a case, or to change the bound of growth. A count does not depend on the load of the machine, so it
//! shows a cost of a few percent that a rate hides. It depends on the compiler and on the processor's extensions, so
//! counts of different machines are not compared.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::client::{Answer, Client};
use crate::launcher::Launcher;
use crate::page::thousands;
use crate::program::{Addition, Program, ServiceCache};
use crate::running::Running;
use crate::{Result, Settings, path, progress};

/// The counts of each case, of which the least is taken: work of the background, such as a probe, falls into some of
/// them only.
const COUNTS: u32 = 5;

/// The requests of one count.
const REQUESTS: u32 = 600;

/// The requests before the count begins: connections are made, buffers have their size.
const WARM_UP: u32 = 300;

/// The most that a count may exceed the one in the file.
const GROWTH: f64 = 1.02;

/// A configuration of the service, and the requests that are counted.
struct Case {
    title: &'static str,
    program: Program,
    /// Further variables of its environment.
    environment: &'static [(&'static str, &'static str)],
    /// Whether each request reads another widget, which is a miss.
    is_miss: bool,
}

const CASES: [Case; 10] = [
    Case::new("hit in memory", Program::service(ServiceCache::Memory)),
    Case {
        environment: &[("CACHE_VERIFY_PERCENT", "1")],
        ..Case::new(
            "hit in memory, `CACHE_VERIFY_PERCENT=1`",
            Program::service(ServiceCache::Memory),
        )
    },
    Case::new(
        "hit in memory, access log",
        Program::service_with(Addition::AccessLog, ServiceCache::Memory),
    ),
    Case::new(
        "hit in memory, all protection",
        Program::service_with(Addition::Protection, ServiceCache::Memory),
    ),
    Case::new("near hit", Program::service(ServiceCache::Near)),
    Case::new("hit in Redis", Program::service(ServiceCache::Redis)),
    Case::new(
        "hit in Memcached",
        Program::service(ServiceCache::Memcached),
    ),
    Case::new(
        "`CACHE_ENABLED=false`",
        Program::service(ServiceCache::Disabled),
    ),
    Case::miss(
        "miss and fill in memory",
        Program::service(ServiceCache::Memory),
    ),
    Case::miss(
        "miss and fill in Redis",
        Program::service(ServiceCache::Redis),
    ),
];

impl Case {
    const fn new(title: &'static str, program: Program) -> Self {
        Self {
            title,
            program,
            environment: &[],
            is_miss: false,
        }
    }

    const fn miss(title: &'static str, program: Program) -> Self {
        // Another namespace than that of the hits, whose entries would be hits here.
        Self {
            title,
            program,
            environment: &[("CACHE_NAMESPACE", "misses")],
            is_miss: true,
        }
    }

    /// Instructions of one request, with its share of the background's work.
    fn count(&self, launcher: &Launcher<'_>) -> Result<f64> {
        let settings = launcher.settings;
        let output = settings.directory.join("callgrind.out");
        let mut environment = vec![
            // One thread, or idle workers are counted too.
            ("SERVER_WORKERS", "1"),
            // The emulated processor is about fifty times slower.
            ("CACHE_OPERATION_TIMEOUT_MS", "5000"),
        ];
        environment.extend_from_slice(self.environment);
        let running = launcher.start_under(
            &[
                "valgrind",
                "--quiet",
                "--tool=callgrind",
                "--instr-atstart=no",
                &format!("--callgrind-out-file={}", output.display()),
            ],
            self.program,
            &environment,
        )?;
        let mut client = Client::connect(running.port)?;
        let last = settings.first_id + settings.entries;
        let id = |number: u32| {
            if self.is_miss {
                last - 1 - i64::from(number)
            } else {
                settings.first_id
            }
        };
        for number in 0..WARM_UP {
            client.get(&path(id(number)))?;
        }
        let mut smallest = f64::INFINITY;
        for round in 0..COUNTS {
            control(&running, &["--instr", "on"])?;
            for number in 0..REQUESTS {
                let answer = client.get(&path(id(WARM_UP + round * REQUESTS + number)))?;
                if let Some(problem) = self.problem(&answer) {
                    return Err(format!("{}: {problem}", self.title).into());
                }
            }
            control(&running, &["--instr", "off"])?;
            // Writes the count, and begins the next one at zero.
            control(&running, &["--dump"])?;
            let dump = output.with_extension(format!("out.{}", round + 1));
            let total = total(&dump).map_err(|error| format!("{}: {error}", self.title))?;
            smallest = smallest.min(total / f64::from(REQUESTS));
        }
        Ok(smallest)
    }

    /// The fault of an answer, such as a hit where misses are counted.
    fn problem(&self, answer: &Answer) -> Option<String> {
        if !self.is_miss {
            return self.program.problem(answer);
        }
        let status = answer.header("cache-status").unwrap_or_default();
        (!status.contains("fwd=uri-miss")).then(|| format!("`{status}` is no miss"))
    }
}

/// Gives a running program a command of callgrind.
fn control(running: &Running, command: &[&str]) -> Result<()> {
    let status = Command::new("callgrind_control")
        .args(command)
        .arg(running.child.id().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("callgrind_control {} failed", command.join(" ")).into());
    }
    // The command returns before the program has obeyed.
    sleep(Duration::from_millis(300));
    Ok(())
}

/// The sum of the instructions in a dump.
fn total(dump: &Path) -> Result<f64> {
    let text = fs::read_to_string(dump)?;
    fs::remove_file(dump)?;
    let totals = text
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))
        .ok_or("callgrind wrote no totals")?;
    Ok(totals.trim().parse()?)
}

/// Counts all cases, and writes the page. A count that grew beyond the bound is an error, after the page is written.
pub fn measure(launcher: &Launcher<'_>, settings: &Settings, page: &Path) -> Result<()> {
    let earlier = fs::read_to_string(page).unwrap_or_default();
    let mut rows = String::new();
    let mut grown = Vec::new();
    for case in &CASES {
        progress(case.title);
        let counted = case.count(launcher)?;
        let before = earlier_count(&earlier, case.title);
        if let Some(before) = before.filter(|before| counted > before * GROWTH) {
            grown.push(format!(
                "{}: {} after {}",
                case.title,
                thousands(counted),
                thousands(before)
            ));
        }
        writeln!(rows, "| {} | {} |", case.title, thousands(counted))?;
    }
    let text = format!(
        "<!-- The instructions of one request. Written by scripts/bench --instructions. -->
# Instructions

`./scripts/bench --instructions` counts the instructions of the service with valgrind's callgrind: the least of {COUNTS} counts of
{REQUESTS} requests for an answer of {bytes} bytes, with one worker. The database feed polls
four times a second, and a poll counts with the requests that it meets. The work of the kernel and of the
servers is not counted. A count in the process repeats within 1 %, also on a busy machine. A count that waits for a server varies with the
load: an idle connection is checked before it is used again. Each count depends on the compiler and on the processor, so compare counts of one machine only. The command fails if
a count exceeds the one on this page by more than 2 %.

| request | instructions |
|---|---:|
{rows}",
        bytes = settings.body_bytes,
    );
    print!("{rows}");
    fs::write(page, text)?;
    if grown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more instructions than on {}: {}",
        page.display(),
        grown.join("; ")
    )
    .into())
}

/// The count of a case on an earlier page.
fn earlier_count(page: &str, title: &str) -> Option<f64> {
    let row = page
        .lines()
        .find_map(|line| line.strip_prefix(&format!("| {title} | ")))?;
    let digits: String = row.chars().filter(char::is_ascii_digit).collect();
    digits.parse().ok()
}
