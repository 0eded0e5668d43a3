//! A connection to a client.
//!
//! Bytes of the service pass unchanged. Answers of the HTTP library itself are replaced ([`super::library_answers`]), and a
//! client that keeps the service waiting loses its connection ([`super::client_silence`]).
//!
//! Come here to change the way of the bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::client_silence::{Activity, Silence};
use super::library_answers::{LastAnswer, LibraryAnswer};

/// A connection over a stream.
#[derive(Debug)]
pub struct ClientConnection<T> {
    stream: T,
    last: Option<LastAnswer>,
    silence: Silence,
}

impl<T> ClientConnection<T> {
    /// A connection whose client has `patience`, and up to a quarter more, to send its next request, and to take a part of an
    /// answer.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn new(stream: T, patience: Duration) -> Self {
        Self {
            stream,
            last: None,
            silence: Silence::new(patience),
        }
    }

    /// The requests of this connection. Each of them has to find it, by its type, in the data of its connection.
    pub fn activity(&self) -> Activity {
        self.silence.activity().clone()
    }
}

impl<T: AsyncWrite + Unpin> ClientConnection<T> {
    fn poll_write_bytes(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.silence.has_taken();
        } else if self.silence.is_too_long_for_an_answer(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ClientConnection<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_pending() && this.silence.is_too_long(context) {
            // As if the client had closed the connection: the library ends it in the same way.
            return Poll::Ready(Ok(()));
        }
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientConnection<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.last.is_none() {
            match LibraryAnswer::at_the_end_of(buffer) {
                None => return this.poll_write_bytes(context, buffer),
                // The answers before it are written first, so that it is never sent in part.
                Some(answer) if answer.begin > 0 => {
                    return this.poll_write_bytes(context, &buffer[..answer.begin]);
                }
                Some(answer) => this.last = Some(LastAnswer::new(answer.replacement())),
            }
        }
        if let Some(last) = &mut this.last {
            // The library closes the connection as soon as everything is written.
            ready!(last.poll_end(&mut this.stream, context))?;
        }
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::watchdog;

    const PATIENCE: Duration = Duration::from_millis(200);
    const MUCH_LONGER: Duration = Duration::from_secs(1);
    /// The bytes that the way to a client holds.
    const WIDTH: usize = 16;

    fn connection(patience: Duration) -> (DuplexStream, ClientConnection<DuplexStream>) {
        let (client, server) = duplex(WIDTH);
        (client, ClientConnection::new(server, patience))
    }

    #[tokio::test]
    async fn a_client_that_sends_no_request_loses_its_connection() {
        watchdog::watch();
        let (_client, mut connection) = connection(PATIENCE);
        assert_eq!(connection.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_client_that_sends_a_byte_from_time_to_time_loses_its_connection_too() {
        watchdog::watch();
        let (mut client, mut connection) = connection(PATIENCE);
        let sending = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                sleep(PATIENCE / 20).await;
            }
        });
        let mut byte = [0];
        while connection.read(&mut byte).await.unwrap() == 1 {}
        drop(connection);
        sending.await.unwrap();
    }

    #[tokio::test]
    async fn a_request_has_all_the_time_that_it_needs() {
        watchdog::watch();
        let (_client, mut connection) = connection(PATIENCE);
        let request = connection.activity().begin();
        let mut byte = [0];
        assert!(
            timeout(MUCH_LONGER, connection.read(&mut byte))
                .await
                .is_err()
        );
        drop(request);
        // The time for the next request has only begun.
        assert!(poll!(std::pin::pin!(connection.read(&mut byte))).is_pending());
        assert_eq!(connection.read(&mut byte).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_of_an_answer_loses_its_connection() {
        watchdog::watch();
        let (_client, mut connection) = connection(PATIENCE);
        let _request = connection.activity().begin();
        let error = connection.write_all(&[b'x'; 2 * WIDTH]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_takes_a_little_at_a_time_gets_all_of_its_answer() {
        watchdog::watch();
        let (mut client, mut connection) = connection(2 * MUCH_LONGER);
        let taking = async {
            let mut taken = 0;
            while taken < 12 * WIDTH {
                sleep(MUCH_LONGER / 4).await;
                taken += client.read(&mut [0; WIDTH]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(connection.write_all(&[b'x'; 12 * WIDTH]), taking);
        written.unwrap();
    }

    #[tokio::test]
    async fn a_pause_of_the_service_in_its_answer_is_not_time_of_the_client() {
        watchdog::watch();
        let (mut client, mut connection) = connection(PATIENCE);
        let _request = connection.activity().begin();
        assert!(
            timeout(MUCH_LONGER, connection.read(&mut [0]))
                .await
                .is_err()
        );
        let answer = [b'x'; 2 * WIDTH];
        let mut writing = std::pin::pin!(connection.write_all(&answer));
        assert!(poll!(&mut writing).is_pending());
        let mut taken = [0; 2 * WIDTH];
        let (written, read) = tokio::join!(writing, client.read_exact(&mut taken));
        written.unwrap();
        read.unwrap();
    }
}
