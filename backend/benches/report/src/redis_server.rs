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

/// The bytes of memory that the stored lists of a namespace take.
pub fn memory_of_lists(port: u16, namespace: &str) -> Result<f64> {
    let script = "local sum = 0 for _, key in ipairs(redis.call('KEYS', ARGV[1])) do sum = sum + redis.call('MEMORY', 'USAGE', key) end return sum";
    let answer = ask(
        port,
        &format!("EVAL \"{script}\" 0 {namespace}:widget_search*"),
    )?;
    let number = answer
        .trim()
        .strip_prefix(':')
        .ok_or_else(|| format!("MEMORY USAGE: {answer}"))?;
    let bytes: f64 = number.parse()?;
    if bytes > 0.0 {
        Ok(bytes)
    } else {
        Err(format!("no list is stored in {namespace}").into())
    }
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
