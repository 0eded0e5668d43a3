//! Groups with many entries: the write that ends one.
//!
//! Come here for another number of entries. The tails while a group is ended are in `tails`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::client::Client;
use crate::fill::read_all;
use crate::program::{Program, ServiceCache};
use crate::running::Running;
use crate::summary::median;
use crate::{Result, Settings, path, progress};

/// The writes that ended a group of this size.
pub struct GroupEnd {
    /// The number of entries.
    pub entries: u64,
    /// The milliseconds of each write.
    pub milliseconds: Vec<f64>,
}

impl GroupEnd {
    /// The median of the writes.
    pub fn median(&self) -> f64 {
        median(self.milliseconds.iter().copied())
    }
}

/// Stores this many searches that nobody has asked for before. All searches are one group, which the change of any widget ends.
pub fn fill_group(program: &Running, entries: u64) -> Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let first = NEXT.fetch_add(entries, Ordering::Relaxed);
    // Nothing is found, so a search costs the database little.
    read_all(program, entries, |number| {
        format!("/api/v1/widgets?q=qz{}", first + number)
    })
}

/// Changes a widget that no load reads.
pub fn end_group(settings: &Settings, program: &Running, token: &str) -> Result<f64> {
    let mut client = Client::connect(program.port)?;
    let path = path(settings.first_id + settings.entries - 1);
    let began = Instant::now();
    let answer = client.patch(&path, token, "{\"name\":\"Widget\"}")?;
    if answer.status != 200 {
        return Err(format!("PATCH {path}: status {}", answer.status).into());
    }
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}

/// Measures groups of all sizes.
pub fn measure(
    settings: &Settings,
    token: &str,
    programs: &BTreeMap<Program, Running>,
) -> Result<Vec<GroupEnd>> {
    let program = &programs[&Program::service(ServiceCache::Redis)];
    // The number of entries, with the number of measured writes.
    let sizes = [
        (1, 100),
        (settings.group_entries / 10, 3),
        (settings.group_entries, 1),
    ];
    sizes
        .into_iter()
        .map(|(entries, writes)| {
            progress(&format!("a group of {entries} entries"));
            let milliseconds = (0..writes)
                .map(|_| {
                    fill_group(program, entries)?;
                    end_group(settings, program, token)
                })
                .collect::<Result<_>>()?;
            Ok(GroupEnd {
                entries,
                milliseconds,
            })
        })
        .collect()
}
