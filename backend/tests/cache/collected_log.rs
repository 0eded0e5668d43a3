//! The log of a test.
//!
//! Come here to expect a line of the log.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::Level;

use crate::support::eventually;

/// Collects the log lines of this thread for as long as it is held.
pub struct Log {
    written: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

struct Writer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub fn collect() -> Self {
        Self::up_to(Level::INFO)
    }

    /// With the lines that show how a request waits.
    pub fn with_waits() -> Self {
        Self::up_to(Level::DEBUG)
    }

    fn up_to(level: Level) -> Self {
        let written: Arc<Mutex<Vec<u8>>> = Arc::default();
        let target = Arc::clone(&written);
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(level)
            .with_writer(move || Writer(Arc::clone(&target)))
            .finish();
        Self {
            written,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// Waits until this many reads have waited for the run of another request, or of another instance.
    pub async fn until_reads_wait(&self, count: usize, for_another: &str) {
        let line = format!("a read waits for the run of another {for_another}");
        eventually("reads wait for another run", async || {
            self.lines_with(&[&line]).len() >= count
        })
        .await;
    }

    /// The lines that contain all of these.
    pub fn lines_with(&self, parts: &[&str]) -> Vec<String> {
        let written = self.written.lock().expect("the log");
        String::from_utf8_lossy(&written)
            .lines()
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .map(str::to_owned)
            .collect()
    }
}
