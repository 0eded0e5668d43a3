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

/// The connections to a port of this machine whose bytes its process has not read, by the kernel's table.
pub fn unread_connections(port: u16) -> usize {
    let local = format!(":{port:04X}");
    let is_unread = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let is_local = fields.next().is_some_and(|place| place.ends_with(&local));
        // After the other end's place and the state: the bytes to send and the bytes to read.
        let queues = fields.nth(2).and_then(|queues| queues.split_once(':'));
        is_local && queues.is_some_and(|(_, unread)| unread.contains(|digit| digit != '0'))
    };
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines());
    // The bytes of a listening socket are its connections that wait to be accepted.
    lines
        .filter(|line| !line.contains(" 0A "))
        .filter(|line| is_unread(line))
        .count()
}
