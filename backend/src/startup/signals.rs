//! SIGTERM and SIGINT, from the first moment of the program to its end.
//!
//! Come here to change which signals end the program. The kernel ends process 1 of a container at a signal only if the
//! process handles that signal. A process has one [`Signals`].

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end the program.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// The kind of end that a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: requests under way are finished first.
    Gracefully,
    /// SIGINT, as Ctrl-C sends it: at once.
    AtOnce,
}

impl Stop {
    /// The exit code of a command that the signal has interrupted: 128 plus the number of the signal.
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
