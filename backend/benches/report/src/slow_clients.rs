//! Slow clients: half of them read an answer of 1 MiB a little at a time, and half of them send a request a byte at a time.
//!
//! Come here to change their number or their pace.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::running::Running;
use crate::{Result, Settings, path};

/// Their number.
const COUNT: usize = 400;
/// The time between two steps of a client. A step is a byte sent or a kibibyte read.
const PACE: Duration = Duration::from_millis(100);
/// The time before the load begins.
const SETTLING: Duration = Duration::from_secs(1);
/// The size of the answer that is read slowly, in KiB.
const KIBIBYTES: u16 = 1024;

/// Slow clients while this value lives.
pub struct SlowClients {
    ends: Arc<AtomicBool>,
    clients: Option<JoinHandle<()>>,
}

/// A connection, and the rest of its request. A reader has sent all of it.
struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    sent: usize,
}

impl SlowClients {
    /// Connects them, and begins.
    pub fn begin(settings: &Settings, program: &Running) -> Result<Self> {
        let path = path(settings.body_id(KIBIBYTES));
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes();
        let mut clients = Vec::with_capacity(COUNT);
        for number in 0..COUNT {
            let mut stream = TcpStream::connect(("127.0.0.1", program.port))?;
            let sent = if number % 2 == 0 {
                stream.write_all(&request)?;
                request.len()
            } else {
                0
            };
            stream.set_nonblocking(true)?;
            clients.push(Client {
                stream,
                request: request.clone(),
                sent,
            });
        }
        let ends = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::clone(&ends);
        let clients = thread::spawn(move || {
            while !has_ended.load(Ordering::Relaxed) {
                for client in &mut clients {
                    client.step();
                }
                thread::sleep(PACE);
            }
        });
        // What the sockets hold of the large answers has been written by then: that work is not what slow clients cost.
        thread::sleep(SETTLING);
        Ok(Self {
            ends,
            clients: Some(clients),
        })
    }
}

impl Drop for SlowClients {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(clients) = self.clients.take() {
            let _ = clients.join();
        }
    }
}

impl Client {
    /// Sends a byte, or reads a kibibyte once all is sent.
    fn step(&mut self) {
        if self.sent < self.request.len() {
            if self
                .stream
                .write(&self.request[self.sent..=self.sent])
                .is_ok()
            {
                self.sent += 1;
            }
            return;
        }
        // Nothing has come yet, or the connection has ended: either way the next step asks again.
        let _ = self.stream.read(&mut [0; 1024]);
    }
}
