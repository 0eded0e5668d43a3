//! A TCP proxy that can be ill in the ways a network or a server can.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Hands everything on.
    Pass,
    /// Hands everything on, after a while.
    Delay(Duration),
    /// Holds everything back.
    Stall,
    /// Hands on what clients send and holds back what the server answers.
    HoldAnswers,
    /// Closes what is open and what comes.
    Refuse,
    /// Answers with what no server says.
    Garbage,
    /// Closes each connection in the middle of the server's next answer.
    CutAnswers,
    /// Forgets the connections that it sees: nothing is ever handed on again, and nobody is told.
    Forget,
}

/// A proxy in front of a local port, stopped with this value.
#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    mode: watch::Sender<Mode>,
    /// How many pieces of answers have been held back so far.
    held: watch::Sender<usize>,
    kills: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (mode, modes) = watch::channel(Mode::Pass);
        let (kills, mut killed) = watch::channel(());
        let (held, _) = watch::channel(0);
        let holding = held.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Only what comes from now on is about this connection.
                killed.mark_unchanged();
                tokio::spawn(connection(
                    client,
                    target,
                    modes.clone(),
                    holding.clone(),
                    killed.clone(),
                ));
            }
        });
        Self {
            port,
            mode,
            held,
            kills,
            accepting,
        }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Waits until an answer is held back: the server has done what it was asked to do.
    pub async fn answer_is_held(&self) {
        let mut held = self.held.subscribe();
        let waiting = held.wait_for(|held| *held > 0);
        let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(waited.is_ok(), "waited in vain for an answer");
    }

    /// Closes what is open; new connections are as before.
    pub fn kill_connections(&self) {
        self.kills.send_replace(());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.mode.send_replace(Mode::Refuse);
    }
}

async fn connection(
    client: TcpStream,
    target: u16,
    modes: watch::Receiver<Mode>,
    held: watch::Sender<usize>,
    mut killed: watch::Receiver<()>,
) {
    if *modes.borrow() == Mode::Refuse {
        return;
    }
    let address = SocketAddr::from(([127, 0, 0, 1], target));
    let Ok(server) = TcpStream::connect(address).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut refused = modes.clone();
    tokio::select! {
        () = copy(from_client, to_server, modes.clone(), None) => {}
        () = copy(from_server, to_client, modes, Some(held)) => {}
        _ = refused.wait_for(|mode| *mode == Mode::Refuse) => {}
        _ = killed.changed() => {}
    }
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    to: tokio::net::tcp::OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    // Where answers that are held back are counted, on the way from the server.
    held: Option<watch::Sender<usize>>,
) {
    let answers = held.is_some();
    // Delayed pieces keep their distance: a slow line, not a narrow one.
    let (pieces, mut later) = tokio::sync::mpsc::channel::<(tokio::time::Instant, Vec<u8>)>(1024);
    let to = Arc::new(tokio::sync::Mutex::new(to));
    let writer = Arc::clone(&to);
    let writing = async move {
        while let Some((when, piece)) = later.recv().await {
            tokio::time::sleep_until(when).await;
            if writer.lock().await.write_all(&piece).await.is_err() {
                break;
            }
        }
    };
    let reading = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let mut piece = buffer[..length].to_vec();
            let holds = |mode: &Mode| *mode == Mode::HoldAnswers && answers;
            if let (Some(held), true) = (&held, holds(&modes.borrow())) {
                held.send_modify(|held| *held += 1);
            }
            let passes = |mode: &Mode| *mode != Mode::Stall && !holds(mode);
            if modes.wait_for(passes).await.is_err() {
                return;
            }
            let mode = *modes.borrow();
            if mode == Mode::Forget {
                // The reader stays, so that the connection is not closed.
                std::future::pending::<()>().await;
            }
            let now = tokio::time::Instant::now();
            let when = match mode {
                Mode::Delay(by) if !answers => now + by,
                _ => now,
            };
            match mode {
                Mode::Garbage if answers => piece = b"\x00\xff no such protocol \r\n".repeat(3),
                Mode::CutAnswers if answers => {
                    let half = piece.len() / 2;
                    let _ = to.lock().await.write_all(&piece[..half]).await;
                    return;
                }
                _ => {}
            }
            if pieces.send((when, piece)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = writing => {}, () = reading => {} }
}
