//! A TCP proxy with the faults of a network or a server, for all of its connections or for some.
//!
//! Come here for a fault that no test has yet. A fault of the server itself (killed, stopped, full) is
//! made with `support/server.rs`, without a proxy.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::relay::{Direction, copy};

/// The treatment of a connection by the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forwards everything.
    Pass,
    /// Forwards everything, commands after a delay.
    Delay(Duration),
    /// Forwards everything, answers after a delay.
    DelayAnswers(Duration),
    /// Holds everything back.
    Stall,
    /// Forwards commands and holds back the answers.
    HoldAnswers,
    /// Closes open and new connections.
    Refuse,
    /// Answers with bytes that follow no protocol.
    Garbage,
    /// Closes the connection in the middle of the server's next answer.
    CutAnswers,
    /// Drops everything; the connection stays open.
    Forget,
    /// Drops one reply in this many; the connection stays open.
    SwallowReplies(u64),
    /// Answers each command with this instead of the server's reply.
    Say(&'static str),
    /// Closes the connection before the first command with this word. Earlier bytes of the client are forwarded.
    CutBefore(&'static str),
}

/// An open connection.
#[derive(Debug)]
struct Open {
    mode: watch::Sender<Mode>,
    /// The time of its last use, as a position in the order of all pieces from clients.
    used: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Shared {
    target: u16,
    /// The mode of connections that are opened from now on.
    mode: Mode,
    open: BTreeMap<u64, Open>,
    made: u64,
}

/// A proxy in front of a local port, stopped with this value.
#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    shared: Arc<Mutex<Shared>>,
    /// The number of pieces of answers that were held back.
    held: watch::Sender<usize>,
    kills: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Mutex::new(Shared {
            target,
            mode: Mode::Pass,
            open: BTreeMap::new(),
            made: 0,
        }));
        let (kills, mut killed) = watch::channel(());
        let (held, _) = watch::channel(0);
        let (holding, known) = (held.clone(), Arc::clone(&shared));
        let accepting = tokio::spawn(async move {
            let clock = Arc::new(AtomicU64::new(0));
            while let Ok((client, _)) = listener.accept().await {
                // Only later changes of the mode concern this connection.
                killed.mark_unchanged();
                let accepted = Accepted::new(&known, Arc::clone(&clock));
                tokio::spawn(accepted.run(client, holding.clone(), killed.clone()));
            }
        });
        Self {
            port,
            shared,
            held,
            kills,
            accepting,
        }
    }

    /// Sets the mode of all connections, including new ones.
    pub fn set(&self, mode: Mode) {
        let mut shared = self.shared();
        shared.mode = mode;
        for open in shared.open.values() {
            open.mode.send_replace(mode);
        }
    }

    /// Sets the mode of the open connections. That of new ones stays.
    pub fn set_for_open(&self, mode: Mode) {
        self.set_for_some(mode, |_| true);
    }

    /// Sets the mode of the open connections that are chosen by their position in the order of last use: 0 is the one
    /// that was used last. Returns the number of chosen connections.
    pub fn set_for_some(&self, mode: Mode, chosen: impl Fn(usize) -> bool) -> usize {
        let shared = self.shared();
        let mut open: Vec<&Open> = shared.open.values().collect();
        open.sort_by_key(|open| std::cmp::Reverse(open.used.load(Ordering::SeqCst)));
        let mut count = 0;
        for (place, open) in open.into_iter().enumerate() {
            if chosen(place) {
                open.mode.send_replace(mode);
                count += 1;
            }
        }
        count
    }

    /// Connects new connections to another port.
    pub fn lead_to(&self, target: u16) {
        self.shared().target = target;
    }

    /// The number of open connections.
    pub fn open(&self) -> usize {
        self.shared().open.len()
    }

    /// The number of all connections so far.
    pub fn made(&self) -> u64 {
        self.shared().made
    }

    /// Waits until an answer is held back: the server has carried out the command.
    pub async fn answer_is_held(&self) {
        let mut held = self.held.subscribe();
        let waiting = held.wait_for(|held| *held > 0);
        let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(waited.is_ok(), "waited in vain for an answer");
    }

    /// Closes the open connections. New ones work.
    pub fn kill_connections(&self) {
        self.kills.send_replace(());
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("the proxy")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.set(Mode::Refuse);
    }
}

/// A connection that was accepted.
struct Accepted {
    number: u64,
    target: u16,
    modes: watch::Receiver<Mode>,
    used: Arc<AtomicU64>,
    clock: Arc<AtomicU64>,
    shared: Arc<Mutex<Shared>>,
}

impl Accepted {
    fn new(known: &Arc<Mutex<Shared>>, clock: Arc<AtomicU64>) -> Self {
        let mut shared = known.lock().expect("the proxy");
        let (mode, modes) = watch::channel(shared.mode);
        let used = Arc::new(AtomicU64::new(clock.fetch_add(1, Ordering::SeqCst)));
        shared.made += 1;
        let number = shared.made;
        let of_client = Arc::clone(&used);
        shared.open.insert(number, Open { mode, used });
        Self {
            number,
            target: shared.target,
            modes,
            used: of_client,
            clock,
            shared: Arc::clone(known),
        }
    }

    async fn run(
        self,
        client: TcpStream,
        held: watch::Sender<usize>,
        mut killed: watch::Receiver<()>,
    ) {
        if *self.modes.borrow() == Mode::Refuse {
            return;
        }
        let address = SocketAddr::from(([127, 0, 0, 1], self.target));
        let Ok(server) = TcpStream::connect(address).await else {
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let questions = Direction::Questions {
            used: Arc::clone(&self.used),
            clock: Arc::clone(&self.clock),
        };
        let answers = Direction::Answers { held, replies: 0 };
        let mut refused = self.modes.clone();
        tokio::select! {
            () = copy(from_client, to_server, self.modes.clone(), questions) => {}
            () = copy(from_server, to_client, self.modes.clone(), answers) => {}
            _ = refused.wait_for(|mode| *mode == Mode::Refuse) => {}
            _ = killed.changed() => {}
        }
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        if let Ok(mut shared) = self.shared.lock() {
            shared.open.remove(&self.number);
        }
    }
}
