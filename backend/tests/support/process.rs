//! Signals to a program that a test has started, and the wait for its end.
//!
//! Come here for a program that is not the running service: that one has methods of its own in `service`.

use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Sends a signal to a process, by the signal's name: `TERM`, `STOP`.
pub fn signal(id: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &id.to_string()])
        .status();
    assert!(sent.expect("kill").success(), "SIG{name} was not sent");
}

/// Waits until the process has ended; panics after 40 seconds.
pub async fn end(process: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(status) = process.try_wait().expect("its status") {
            return status;
        }
        assert!(Instant::now() < deadline, "the process does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
