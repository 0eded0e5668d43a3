//! Making a connection to Redis.
//!
//! A pooled connection for every operation would cost one more round trip, since the pool pings recycled connections.
//! So connections are taken out of the pool permanently, and their clones are shared: commands that are sent at the
//! same time share a packet.
//!
//! Come here for connect timeouts. The address is made in `address`. When a connection is replaced is decided in `backends::lane`.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::{Connection, Manager, Pool, PoolConfig, Runtime, Timeouts};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion};
use tokio::time::timeout;

use super::address::connection_info;
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
    /// The options form no address.
    pub(super) fn new(options: &CacheOptions) -> Result<Self, BackendError> {
        let connect_timeout = options.redis.connect_timeout;
        let address = connection_info(&options.redis, ProtocolVersion::RESP2)?;
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

impl RedisConnector {
    /// A new connection, to whatever server stands at the address.
    pub(super) async fn open(&self) -> Result<MultiplexedConnection, String> {
        let pooled = self.pool.get().await.map_err(|error| error.to_string())?;
        Ok(Connection::take(pooled))
    }
}

impl Connector for RedisConnector {
    type Connection = MultiplexedConnection;

    async fn connect(&self) -> Result<MultiplexedConnection, String> {
        let connecting = async {
            let mut connection = self.open().await?;
            self.identity.verify(&mut connection).await?;
            Ok(connection)
        };
        timeout(self.connect_timeout, connecting)
            .await
            .unwrap_or_else(|_| Err("the connection takes too long".to_owned()))
    }
}
