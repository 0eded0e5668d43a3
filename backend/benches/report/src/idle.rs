//! Idle connections: each has had one answer and asks for nothing more.
//!
//! Come here to change their number.

use crate::client::Client;
use crate::page::count;
use crate::running::Running;
use crate::{Result, Settings, path, progress};

/// Their number.
const COUNT: usize = 10_000;

/// Connections that are idle while this value lives.
pub struct IdleConnections(#[expect(dead_code, reason = "it keeps them open")] Vec<Client>);

impl IdleConnections {
    /// Opens them, and reads one answer on each: a connection without a request is closed soon.
    pub fn open(settings: &Settings, program: &Running) -> Result<Self> {
        let path = path(settings.first_id);
        let before = program.resident_megabytes()?;
        let mut connections = Vec::with_capacity(COUNT);
        for _ in 0..COUNT {
            let mut connection = Client::connect(program.port)?;
            connection.get(&path)?;
            connections.push(connection);
        }
        let megabytes = program.resident_megabytes()? - before;
        let each = megabytes * 1024.0 / count(COUNT);
        progress(&format!("{each:.1} KiB of memory for each idle connection"));
        Ok(Self(connections))
    }
}
