//! Commands to the Redis of the measurement itself.
//!
//! Come here to disturb the server, or to ask it something.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Result;

/// The longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Has Redis begin to save. A save that is still under way is as good.
pub fn save(port: u16) -> Result<()> {
    let answer = ask(port, "BGSAVE")?;
    if answer.starts_with('+') || answer.contains("in progress") {
        Ok(())
    } else {
        Err(format!("BGSAVE: {answer}").into())
    }
}

/// The process of the server.
pub fn process(port: u16) -> Result<u32> {
    let answer = ask(port, "INFO server")?;
    let process = answer
        .lines()
        .find_map(|line| line.strip_prefix("process_id:"));
    Ok(process.ok_or("INFO names no process")?.trim().parse()?)
}

/// An answer, or its beginning: all that arrives at once.
fn ask(port: u16, command: &str) -> Result<String> {
    let mut redis = TcpStream::connect(("127.0.0.1", port))?;
    redis.set_read_timeout(Some(LIMIT))?;
    redis.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = [0; 16 * 1024];
    let length = redis.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}
