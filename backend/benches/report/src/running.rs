//! A running program, and its processor time and memory.
//!
//! Come here to read another figure from the operating system.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};

use crate::Result;

/// A running program. It is ended when this is dropped.
pub struct Running {
    /// The process.
    pub child: Child,
    /// The port on which it listens.
    pub port: u16,
    /// Its access log.
    pub log: Option<File>,
    /// Whether it has worker processes.
    pub has_children: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        // A killed master process leaves its workers behind. With SIGTERM it ends them first.
        let asked = self.has_children && self.ask_to_end();
        if !asked {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Running {
    /// Ends the program as a deployment does, and waits for its end.
    pub fn stop(mut self) -> Result<()> {
        if !self.ask_to_end() {
            return Err("a program could not be asked to end".into());
        }
        self.child.wait()?;
        Ok(())
    }

    /// Sends SIGTERM, and returns whether that was possible.
    fn ask_to_end(&self) -> bool {
        let process = self.child.id().to_string();
        let status = Command::new("kill").arg(process).status();
        status.is_ok_and(|status| status.success())
    }

    /// Processor time of the process and its children so far, in seconds.
    pub fn processor_seconds(&self, ticks_per_second: f64) -> Result<f64> {
        let own = self.child.id();
        let mut ticks = 0.0;
        for directory in fs::read_dir("/proc")?.flatten() {
            let Some(stat) = read_stat(&directory.path()) else {
                continue;
            };
            if stat.process == own || stat.parent == own {
                ticks += stat.ticks;
            }
        }
        Ok(ticks / ticks_per_second)
    }

    /// Memory of the process that is in use, in megabytes.
    pub fn resident_megabytes(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kibibytes: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
            .ok_or("/proc/<pid>/status has no VmRSS")?
            .trim()
            .parse()?;
        Ok(kibibytes * 1024.0 / 1e6)
    }

    /// Empties the access log, so that a long run does not fill the disk.
    pub fn empty_log(&self) -> Result<()> {
        match &self.log {
            Some(log) => Ok(log.set_len(0)?),
            None => Ok(()),
        }
    }
}

/// Processor time of a process so far, in seconds.
pub fn processor_seconds_of(process: u32, ticks_per_second: f64) -> Result<f64> {
    let stat = read_stat(&Path::new("/proc").join(process.to_string()));
    let stat = stat.ok_or_else(|| format!("/proc/{process}/stat cannot be read"))?;
    Ok(stat.ticks / ticks_per_second)
}

/// A part of `/proc/<pid>/stat`.
struct Stat {
    process: u32,
    parent: u32,
    ticks: f64,
}

fn read_stat(directory: &Path) -> Option<Stat> {
    let process = directory.file_name()?.to_str()?.parse().ok()?;
    let text = fs::read_to_string(directory.join("stat")).ok()?;
    // The second field is the program's name, which may hold spaces and parentheses.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let user: f64 = fields.get(11)?.parse().ok()?;
    let system: f64 = fields.get(12)?.parse().ok()?;
    Some(Stat {
        process,
        parent: fields.get(1)?.parse().ok()?,
        ticks: user + system,
    })
}
