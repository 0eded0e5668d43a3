//! Fills a cache before its hits are measured.
//!
//! Come here for a workload with other keys.

use std::thread;

use crate::client::Client;
use crate::running::Running;
use crate::{Result, Settings, path};

/// The number of connections that fill the cache.
const FILLERS: i64 = 4;

/// Reads every widget, and then checks a sample for hits.
pub fn fill(settings: &Settings, program: &Running) -> Result<()> {
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
    Ok(read(ids.step_by(97).collect(), "; hit;")?)
}
