//! Gives the answers of the HTTP library itself a request id and a problem document.
//!
//! `actix-http` answers a malformed head (400), a head that is too large (431) and one that arrives too slowly (408)
//! before any middleware sees a request, with an empty body and without an id. It has no hook for these answers. They
//! are replaced in [`super::client_connection`].
//!
//! Come here to change their text. Answers of the service pass unchanged.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::problem;
use super::request_id::RequestId;

/// The longest answer that the library writes by itself, in bytes.
const MAX_LIBRARY_ANSWER: usize = 256;
/// The longest time for a client to take such an answer and to stop sending. A connection that is closed while the client
/// sends is reset, and the client may not see the answer.
const END: Duration = Duration::from_secs(1);

/// A replaced answer. The connection ends with it.
#[derive(Debug)]
pub(super) struct LastAnswer {
    /// The bytes that have not been written yet.
    bytes: Vec<u8>,
    is_written: bool,
    deadline: Pin<Box<Sleep>>,
}

impl LastAnswer {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            is_written: false,
            deadline: Box::pin(sleep(END)),
        }
    }

    /// Writes the answer, closes this side of the connection, and reads what the client still sends.
    pub(super) fn poll_end<T: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut T,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        while !self.bytes.is_empty() {
            let written = ready!(Pin::new(&mut *stream).poll_write(context, &self.bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.bytes.drain(..written);
        }
        if !self.is_written {
            ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
            self.is_written = true;
        }
        let mut space = [0; 4096];
        loop {
            let mut rest = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut rest))?;
            if rest.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// An answer that the library has written by itself, in a buffer of answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LibraryAnswer<'a> {
    /// Its place in the buffer.
    pub(super) begin: usize,
    version: &'a str,
    status: StatusCode,
    /// The line, without its end.
    date: &'a str,
}

impl<'a> LibraryAnswer<'a> {
    /// The library writes its own answer last, since it closes the connection after it. The answer has no body, and no
    /// header of this service: each of the service's answers has an id.
    pub(super) fn at_the_end_of(buffer: &'a [u8]) -> Option<Self> {
        let before_end = buffer.strip_suffix(b"\r\n\r\n")?;
        let last = &before_end[before_end.len().saturating_sub(MAX_LIBRARY_ANSWER)..];
        let start = memchr::memmem::rfind(last, b"HTTP/1.")?;
        let mut lines = std::str::from_utf8(&last[start..]).ok()?.split("\r\n");
        let (version, rest) = lines.next()?.split_once(' ')?;
        let status = StatusCode::from_bytes(rest.get(..3)?.as_bytes()).ok()?;
        if !status.is_client_error() && !status.is_server_error() {
            return None;
        }
        let mut date = "";
        for line in lines {
            match line.split_once(": ")? {
                ("content-length", "0") | ("connection", _) => {}
                ("date", _) => date = line,
                _ => return None,
            }
        }
        Some(Self {
            begin: before_end.len() - last.len() + start,
            version,
            status,
            date,
        })
    }

    /// The answer with an id and a problem document, and a line in the log under the id.
    pub(super) fn replacement(&self) -> Vec<u8> {
        let request_id = RequestId::new().to_string();
        let status = self.status;
        tracing::info!(
            request_id,
            status = status.as_u16(),
            "answered before there was a request"
        );
        let document = problem::document(status, detail(status), &request_id);
        let head = format!(
            "{} {status}\r\n\
             content-length: {}\r\n\
             connection: close\r\n\
             content-type: application/problem+json\r\n\
             referrer-policy: no-referrer\r\n\
             x-content-type-options: nosniff\r\n\
             x-request-id: {request_id}\r\n\
             {}\r\n\r\n",
            self.version,
            document.len(),
            self.date,
        );
        [head.into_bytes(), document].concat()
    }
}

fn detail(status: StatusCode) -> &'static str {
    match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "the head of the request has more than 128 KiB or more than 96 fields"
        }
        StatusCode::REQUEST_TIMEOUT => "the head of the request did not arrive in time",
        StatusCode::BAD_REQUEST => "the request is not HTTP/1.1",
        status => problem::usual_detail(status),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::http::ClientConnection;
    use crate::watchdog;

    const PATIENCE: Duration = Duration::from_mins(1);
    const DATE: &str = "date: Thu, 26 Nov 2026 06:29:50 GMT";

    fn library_answer() -> String {
        format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n{DATE}\r\n\r\n"
        )
    }

    /// What a client gets, over a stream that takes so many bytes at a time.
    async fn received(written: &[&str], at_a_time: usize) -> String {
        let (mut client, server) = tokio::io::duplex(at_a_time);
        let mut connection = ClientConnection::new(server, PATIENCE);
        let write = async {
            for text in written {
                connection.write_all(text.as_bytes()).await.unwrap();
                connection.flush().await.unwrap();
            }
            connection.shutdown().await.unwrap();
        };
        let read = async {
            let mut received = String::new();
            client.read_to_string(&mut received).await.unwrap();
            drop(client);
            received
        };
        tokio::join!(read, write).0
    }

    fn check(answer: &str) {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        for line in [
            format!("content-length: {}", body.len()),
            format!("x-request-id: {}", problem["request_id"].as_str().unwrap()),
            DATE.to_owned(),
        ] {
            assert!(head.lines().any(|found| found == line), "{line} in {head}");
        }
    }

    #[tokio::test]
    async fn an_answer_of_the_library_becomes_a_problem_document_however_slowly_it_is_taken() {
        watchdog::watch();
        for at_a_time in [1, 7, 64, 4096] {
            check(&received(&[&library_answer()], at_a_time).await);
        }
    }

    #[tokio::test]
    async fn answers_before_it_stay_as_they_are() {
        watchdog::watch();
        let before = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nx-request-id: a\r\n{DATE}\r\n\r\n\r\n\r\n\r\n"
        );
        for at_a_time in [1, 4096] {
            let both = format!("{before}{}", library_answer());
            let received = received(&[&before, &both], at_a_time).await;
            let rest = received.strip_prefix(&before).unwrap();
            check(rest.strip_prefix(&before).unwrap());
        }
    }

    #[tokio::test]
    async fn answers_of_the_service_pass_unchanged() {
        watchdog::watch();
        for answer in [
            "HTTP/1.1 304 Not Modified\r\nx-request-id: a\r\ndate: today\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-request-id: a\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}",
            "\r\n\r\n",
            "HTTP/1.",
            "",
        ] {
            assert_eq!(received(&[answer], 16).await, answer);
        }
    }

    #[tokio::test]
    async fn what_the_client_still_sends_is_read_before_the_connection_is_closed() {
        watchdog::watch();
        let (mut client, server) = tokio::io::duplex(4096);
        let mut connection = ClientConnection::new(server, PATIENCE);
        let answer = library_answer();
        let write = async {
            connection.write_all(answer.as_bytes()).await.unwrap();
            drop(connection);
        };
        let send = async {
            client.write_all(&[b'x'; 10_000]).await.unwrap();
            let mut received = String::new();
            client.read_to_string(&mut received).await.unwrap();
            check(&received);
            drop(client);
        };
        tokio::join!(send, write);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_holds_nothing() {
        watchdog::watch();
        let (_client, server) = tokio::io::duplex(16);
        let mut connection = ClientConnection::new(server, PATIENCE);
        let answer = library_answer();
        let written = tokio::time::timeout(10 * END, connection.write_all(answer.as_bytes()));
        written.await.unwrap().unwrap();
    }
}
