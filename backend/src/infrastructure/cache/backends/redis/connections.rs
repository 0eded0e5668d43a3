//! Making a connection to Redis.
//!
//! A pooled connection for every operation would cost one more round trip, since the pool pings recycled connections.
//! So connections are taken out of the pool permanently, and their clones are shared: commands that are sent at the
//! same time share a packet.
//!
//! Come here for socket options and connect timeouts. When a connection is replaced is decided in `backends::lane`.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::{Connection, Manager, Pool, PoolConfig, Runtime, Timeouts};
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo,
};
use secrecy::ExposeSecret;
use socket2::TcpKeepalive;
use tokio::time::timeout;

use super::identity::Identity;
use crate::infrastructure::cache::backends::contract::BackendError;
use crate::infrastructure::cache::backends::lanes::{self, Connector};
use crate::infrastructure::cache::options::CacheOptions;

/// The most connections that a lane may be making at the same time: the number of attempts that begin,
/// at the pace of probes, before the first one gives up.
const ATTEMPTS_OF_A_LANE: usize = 16;
pub(super) type Lanes = lanes::Lanes<RedisConnector>;
pub(super) type Placed = lanes::Placed<MultiplexedConnection>;

/// Makes connections to the server of the settings.
pub(super) struct RedisConnector {
    pool: Pool,
    connect_timeout: Duration,
    pub(super) identity: Arc<Identity>,
}

impl RedisConnector {
    /// # Errors
    /// Host, port, database and password form no address.
    pub(super) fn new(options: &CacheOptions) -> Result<Self, BackendError> {
        let connect_timeout = options.redis.connect_timeout;
        let address = connection_info(options, ProtocolVersion::RESP2)?;
        // The deadline of an operation is set at the sending of its command.
        let connection = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect_timeout))
            .set_response_timeout(None);
        let manager =
            Manager::new_with_config(address, connection).map_err(BackendError::unavailable)?;
        let pool = Pool::builder(manager)
            .config(PoolConfig {
                // The pool holds only connections that are being made. Finished ones are taken out.
                max_size: (options.redis.pool_size + 1).saturating_mul(ATTEMPTS_OF_A_LANE),
                timeouts: Timeouts {
                    wait: Some(connect_timeout),
                    create: Some(connect_timeout),
                    recycle: None,
                },
                ..PoolConfig::default()
            })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(BackendError::unavailable)?;
        Ok(Self {
            pool,
            connect_timeout,
            identity: Arc::new(Identity::new(&options.namespace)),
        })
    }
}

impl Connector for RedisConnector {
    type Connection = MultiplexedConnection;

    async fn connect(&self) -> Result<MultiplexedConnection, String> {
        let connecting = async {
            let pooled = self.pool.get().await.map_err(|error| error.to_string())?;
            let mut connection = Connection::take(pooled);
            self.identity.verify(&mut connection).await?;
            Ok(connection)
        };
        timeout(self.connect_timeout, connecting)
            .await
            .unwrap_or_else(|_| Err("the connection takes too long".to_owned()))
    }
}

/// The address of the server, and the protocol.
pub(super) fn connection_info(
    options: &CacheOptions,
    protocol: ProtocolVersion,
) -> Result<ConnectionInfo, BackendError> {
    let mut server = RedisConnectionInfo::default()
        .set_db(options.redis.database)
        .set_protocol(protocol);
    if !options.redis.password.expose_secret().is_empty() {
        server = server.set_password(options.redis.password.expose_secret());
    }
    let address = ConnectionAddr::Tcp(options.redis.host.clone(), options.redis.port);
    let address = address
        .into_connection_info()
        .map_err(BackendError::unavailable)?;
    Ok(address
        .set_redis_settings(server)
        .set_tcp_settings(tcp_settings()))
}

/// Options by which the system notices a lost connection when no command does.
fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(lanes::KEEPALIVE_AFTER)
        .with_interval(lanes::KEEPALIVE_INTERVAL)
        .with_retries(lanes::KEEPALIVE_RETRIES);
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(lanes::USER_TIMEOUT);
    settings
}
