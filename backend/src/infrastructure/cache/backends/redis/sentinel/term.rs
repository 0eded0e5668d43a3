//! A term: the time in which one server is the master.
//!
//! Come here for what a connection knows of its master. Terms begin and end in `watch`.

use std::sync::atomic::{AtomicBool, Ordering};

/// A server that a Sentinel names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::backends::redis) struct Master {
    /// Host name or IP address, as the Sentinels give it.
    pub(in crate::backends::redis) host: String,
    /// TCP port.
    pub(in crate::backends::redis) port: u16,
    /// The number of the failover that made it the master (`config-epoch`). It grows with each failover.
    pub(in crate::backends::redis) failover: u64,
}

/// The time in which a server is the master, as this process has seen it.
#[derive(Debug)]
pub(in crate::backends::redis) struct Term {
    /// The number of the term in this process, from 1.
    pub(in crate::backends::redis) number: u64,
    /// The server.
    pub(in crate::backends::redis) master: Master,
    has_ended: AtomicBool,
}

impl Term {
    pub(super) fn new(number: u64, master: Master) -> Self {
        Self {
            number,
            master,
            has_ended: AtomicBool::new(false),
        }
    }

    /// Whether another master has been named since. Connections of an ended term are closed.
    pub(in crate::backends::redis) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }
}
