//! Making a connection to Memcached.
//!
//! Come here for socket options and the connect timeout. A thread whose lane has no connection starts a
//! task on its own runtime. This task makes the connection, and then reads and writes there: in actix a
//! look-up wakes no other thread. When a connection is replaced is decided in `backends::lane`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::{Connection, drive};
use crate::backends::lanes::{self, Connector};

pub(super) type Lanes = lanes::Lanes<MemcachedConnector>;
pub(super) type Placed = lanes::Placed<Arc<Connection>>;

/// The address of the server, and the timeouts.
#[derive(Clone, Debug)]
pub(super) struct MemcachedConnector {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) connect_timeout: Duration,
    /// The deadline of one answer.
    pub(super) operation_timeout: Duration,
}

impl Connector for MemcachedConnector {
    type Connection = Arc<Connection>;

    /// The address is resolved each time, because the server may have another address now.
    async fn connect(&self) -> Result<Arc<Connection>, String> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = timeout(self.connect_timeout, connecting)
            .await
            .map_err(|_| "the connection takes too long".to_owned())?
            .map_err(|error| error.to_string())?;
        set_options(&stream).map_err(|error| error.to_string())?;
        // The limit of silence is nine tenths of the deadline of a command, so that the next command gets a new
        // connection.
        let connection = Connection::new(self.operation_timeout / 10 * 9);
        tokio::spawn(drive(Arc::clone(&connection), stream));
        Ok(connection)
    }

    fn is_usable(connection: &Arc<Connection>) -> bool {
        connection.is_usable()
    }

    fn retire(connection: Arc<Connection>) {
        connection.retire();
    }
}

/// Options by which the system notices a lost connection when no command does.
fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(lanes::KEEPALIVE_AFTER)
        .with_interval(lanes::KEEPALIVE_INTERVAL)
        .with_retries(lanes::KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(lanes::USER_TIMEOUT))?;
    Ok(())
}
