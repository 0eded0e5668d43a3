//! The sockets that the server listens on.
//!
//! Come here to change how they are bound and closed. The server gets copies of the sockets. It closes a socket only
//! when it ends, and until then a new client would be connected without an answer. So the sockets are shut down here
//! first.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// The most connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The sockets of all addresses of the host.
#[derive(Debug)]
pub struct Listeners(Vec<TcpListener>);

impl Listeners {
    /// Listens on every possible address of the host.
    ///
    /// # Errors
    /// The host is unknown, or none of its addresses can be listened on.
    pub fn bind(host: &str, port: u16) -> io::Result<Self> {
        let mut listeners = Vec::new();
        let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (host, port).to_socket_addrs()? {
            match listen(address) {
                Ok(listener) => listeners.push(listener),
                Err(error) => refusal = error,
            }
        }
        if listeners.is_empty() {
            Err(refusal)
        } else {
            Ok(Self(listeners))
        }
    }

    /// The addresses.
    ///
    /// # Errors
    /// The system does not return an address.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.0.iter().map(TcpListener::local_addr).collect()
    }

    /// Copies of the sockets, for the server.
    ///
    /// # Errors
    /// The process has too many open files.
    pub(super) fn copies(&self) -> io::Result<Vec<TcpListener>> {
        self.0.iter().map(TcpListener::try_clone).collect()
    }

    /// Refuses connections from now on, also for the copies. Where the system cannot do that (macOS), new
    /// connections wait until the server ends.
    pub fn refuse(&self) {
        for listener in &self.0 {
            if let Err(error) = SockRef::from(listener).shutdown(Shutdown::Both) {
                tracing::debug!("a socket goes on listening until the end: {error}");
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // A port whose connections have just been closed can be bound again.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
