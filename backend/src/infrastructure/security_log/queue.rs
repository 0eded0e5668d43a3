//! The queue of security lines to the thread that writes them: bounded, and without loss.
//!
//! Come here to change where the lines go, or how long an act waits for room. The lines are formatted by the subscriber of
//! `telemetry`, like all others.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::Metadata;
use tracing_appender::non_blocking::NonBlocking;
use tracing_subscriber::fmt::MakeWriter;

use crate::http::ApiError;

/// The target of the lines. No other file names it, so that every line has room.
pub(crate) const TARGET: &str = "security";
/// The most lines that may wait to be written, those of acts under way included. A line has some 300 bytes.
const CAPACITY: usize = 2048;
/// The longest wait for room.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait for the last lines at the end of the program.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Room for security lines. A clone shares it.
#[derive(Clone, Debug)]
pub struct SecurityLog {
    room: Arc<Semaphore>,
    /// The key of [`Self::hash`].
    key: Arc<[u8; 32]>,
}

enum Message {
    Line(Vec<u8>),
    /// Every line before this one has been written.
    End(SyncSender<()>),
}

/// Writes the remaining lines when it is dropped.
#[derive(Debug)]
pub(crate) struct SecurityLogGuard(Sender<Message>);

/// The writer of all log lines: security lines go to their own queue, all others to the usual one.
#[derive(Debug)]
pub(crate) struct LogWriter {
    usual: NonBlocking,
    security: Sender<Message>,
}

/// The writer of one line.
pub(crate) struct LineWriter(Way);

/// The way of one line.
enum Way {
    Usual(NonBlocking),
    Security(Sender<Message>),
}

impl SecurityLog {
    /// Starts the thread that writes security lines to standard output, and returns the writer of all lines, which gives
    /// the others to `usual`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(usual: NonBlocking) -> io::Result<(Self, LogWriter, SecurityLogGuard)> {
        let room = Arc::new(Semaphore::new(CAPACITY));
        // The room bounds it.
        let (security, lines) = channel();
        let freed = Arc::clone(&room);
        thread::Builder::new()
            .name("security-log".to_owned())
            .spawn(move || write_lines(&lines, &freed))?;
        let log = Self {
            room,
            key: Arc::new(rand::random()),
        };
        let guard = SecurityLogGuard(security.clone());
        Ok((log, LogWriter { usual, security }, guard))
    }

    /// Room for so many lines.
    ///
    /// # Errors
    /// 503 where there is none for two seconds: the log is not read.
    pub(super) async fn reserve(&self, lines: u32) -> Result<OwnedSemaphorePermit, ApiError> {
        let room = Arc::clone(&self.room).acquire_many_owned(lines);
        if let Ok(Ok(room)) = timeout(LONGEST_WAIT, room).await {
            return Ok(room);
        }
        tracing::error!(
            "an act was refused, because its line in the security log cannot be written: nobody reads the log"
        );
        Err(ApiError::Unavailable)
    }

    /// A hash of a name that nobody has: the same for the same name until the process ends, and of no use elsewhere. Such a
    /// name may be an e-mail address, or a password in the wrong field.
    pub(super) fn hash(&self, name: &str) -> String {
        let hash = blake3::keyed_hash(&self.key, name.as_bytes()).to_hex();
        hash.as_str().chars().take(16).collect()
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        LineWriter(Way::Usual(self.usual.clone()))
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> LineWriter {
        if metadata.target() == TARGET {
            LineWriter(Way::Security(self.security.clone()))
        } else {
            self.make_writer()
        }
    }
}

/// The subscriber writes a line at once.
impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Way::Usual(usual) => usual.write(line),
            Way::Security(security) => {
                let sent = security.send(Message::Line(line.to_vec()));
                sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
                Ok(line.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_lines(lines: &Receiver<Message>, room: &Semaphore) {
    for message in lines {
        match message {
            Message::Line(line) => {
                // One call, so that no other line comes into the middle of it.
                let mut output = io::stdout();
                if output
                    .write_all(&line)
                    .and_then(|()| output.flush())
                    .is_err()
                {
                    // A closed output is not waited for. The container's other one may be open.
                    let _ = io::stderr().write_all(&line);
                }
                room.add_permits(1);
            }
            Message::End(written) => {
                let _ = written.try_send(());
            }
        }
    }
}

impl Drop for SecurityLogGuard {
    fn drop(&mut self) {
        let (written, wait) = sync_channel(1);
        if self.0.send(Message::End(written)).is_ok() {
            let _ = wait.recv_timeout(LAST_LINES);
        }
    }
}
