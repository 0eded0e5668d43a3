//! Fills a cache before its hits are measured.
//!
//! Come here for a workload with other keys.

use std::thread;

use crate::client::Client;
use crate::running::Running;
use crate::{Result, Settings, path};

/// The number of connections that fill the cache.
const FILLERS: u64 = 16;

/// Reads every widget, and then checks a sample for hits.
pub fn fill(settings: &Settings, program: &Running) -> Result<()> {
    let first = settings.first_id;
    let count = settings.entries.unsigned_abs();
    let path_of = |number: u64| path(first.saturating_add_unsigned(number));
    read_all(program, count, path_of)?;
    check_hits(settings, program)
}

/// Checks a sample of the widgets for hits.
pub fn check_hits(settings: &Settings, program: &Running) -> Result<()> {
    let first = settings.first_id;
    let count = settings.entries.unsigned_abs();
    let mut client = Client::connect(program.port)?;
    for number in (0..count).step_by(97) {
        let path = path(first.saturating_add_unsigned(number));
        let answer = client.get(&path)?;
        let status = answer.header("cache-status").unwrap_or_default();
        if answer.status != 200 || !status.contains("; hit;") {
            return Err(format!("{path}: status {}, {status}", answer.status).into());
        }
    }
    Ok(())
}

/// Reads this many paths over several connections.
pub fn read_all(
    program: &Running,
    count: u64,
    path_of: impl Fn(u64) -> String + Sync,
) -> Result<()> {
    let read = |filler: u64| -> std::result::Result<(), String> {
        let mut client = Client::connect(program.port).map_err(|error| error.to_string())?;
        for number in (filler..count).step_by(usize::try_from(FILLERS).unwrap_or(1)) {
            let path = path_of(number);
            let answer = client.get(&path).map_err(|error| error.to_string())?;
            if answer.status != 200 {
                return Err(format!("{path}: status {}", answer.status));
            }
        }
        Ok(())
    };
    let read = &read;
    thread::scope(|scope| {
        let fillers: Vec<_> = (0..FILLERS)
            .map(|filler| scope.spawn(move || read(filler)))
            .collect();
        let ended = fillers.into_iter().map(|filler| {
            let ended = filler.join();
            ended.map_err(|_| "a filler panicked".to_owned())?
        });
        ended.collect::<std::result::Result<(), String>>()
    })?;
    Ok(())
}
