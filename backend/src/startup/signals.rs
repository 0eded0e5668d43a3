//! SIGTERM and SIGINT, from the first moment of the program to its end.
//!
//! As process 1 of a container a program ends at a signal only if it handles it. Come here to change
//! which signals end the program. There is one [`Signals`] for a process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end the program.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// The way a signal wants the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: requests under way are finished first.
    Gracefully,
    /// SIGINT, as Ctrl-C sends it: at once.
    AtOnce,
}

impl Stop {
    /// The exit code of a command that the signal has kept from finishing: 128 and its number.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Gracefully => 143,
            Self::AtOnce => 130,
        }
    }
}

impl Signals {
    /// Handles the signals from now on.
    ///
    /// # Errors
    /// The system refuses.
    pub fn handle() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Gracefully,
            _ = self.interrupt.recv() => Stop::AtOnce,
        }
    }
}
