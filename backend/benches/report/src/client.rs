//! A small HTTP client for requests that are not measured: to wait for a program, to fill its cache, and to check its
//! answers. wrk makes the measured requests.
//!
//! Come here for a check of an answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection that is kept open.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// An HTTP answer.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The lines of the head.
    head: Vec<String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Client {
    /// Connects to a port of this machine.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends GET and reads the answer.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send_get(path)?;
        self.receive()
    }

    /// Sends GET as a client that accepts zstd, and reads the bytes of the answer's body.
    pub fn get_compressed(&mut self, path: &str) -> io::Result<Vec<u8>> {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: zstd\r\n\r\n"
        ))?;
        let (_, body) = self.receive_bytes()?;
        Ok(body)
    }

    /// Sends GET and leaves the answer for [`Self::receive`].
    pub fn send_get(&mut self, path: &str) -> io::Result<()> {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// Sends POST with a JSON body and reads the answer.
    pub fn post(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))?;
        self.receive()
    }

    /// Sends PATCH with a JSON body and an access token, and reads the answer.
    pub fn patch(&mut self, path: &str, token: &str, body: &str) -> io::Result<Answer> {
        let length = body.len();
        self.send(&format!(
            "PATCH {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        ))?;
        self.receive()
    }

    fn send(&mut self, request: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(request.as_bytes())
    }

    /// Reads the next answer.
    pub fn receive(&mut self) -> io::Result<Answer> {
        let (mut answer, body) = self.receive_bytes()?;
        answer.body = String::from_utf8(body).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(answer)
    }

    /// Reads the next answer, with its body beside it.
    fn receive_bytes(&mut self) -> io::Result<(Answer, Vec<u8>)> {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let status = head
            .first()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        let answer = Answer {
            status,
            head,
            body: String::new(),
        };
        let length = answer
            .header("content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((answer, body))
    }
}
