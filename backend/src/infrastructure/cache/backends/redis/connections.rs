//! Making a connection to Redis.
//!
//! A pooled connection for every operation would cost one more round trip, since the pool pings recycled connections.
//! So connections are taken out of the pool permanently, and their clones are shared: commands that are sent at the
//! same time share a packet.
//!
//! Come here for connect timeouts. Where the server is, is decided in `location`. When a connection is replaced is decided in
//! `backends::lane`; one to a master whose term has ended is no longer used.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_redis::{Manager, Pool, PoolConfig, Runtime, Timeouts};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionInfo, Pipeline, ProtocolVersion, RedisFuture, Value,
};
use tokio::time::timeout;

use super::identity::Identity;
use super::location::{Location, Place};
use super::sentinel::Term;
use crate::backends::contract::BackendError;
use crate::backends::lanes::{self, Connector};
use crate::options::CacheOptions;

/// The most connections that a lane may be making at the same time: the number of attempts that begin,
/// at the pace of probes, before the first one gives up.
const ATTEMPTS_OF_A_LANE: usize = 16;
pub(super) type Lanes = lanes::Lanes<RedisConnector>;
pub(super) type Placed = lanes::Placed<Connection>;

/// Makes connections to the server of the settings.
pub(super) struct RedisConnector {
    /// The pool of the last address, with the number of its term.
    pool: Mutex<Option<(u64, Pool)>>,
    pool_size: usize,
    connect_timeout: Duration,
    pub(super) location: Arc<Location>,
    pub(super) identity: Arc<Identity>,
}

impl RedisConnector {
    /// # Errors
    /// The options form no address.
    pub(super) fn new(options: &CacheOptions) -> Result<Self, BackendError> {
        Ok(Self {
            pool: Mutex::default(),
            pool_size: options.redis.pool_size,
            connect_timeout: options.redis.connect_timeout,
            location: Arc::new(Location::new(&options.redis)?),
            identity: Arc::new(Identity::new(
                &options.namespace,
                options.redis.nodes.is_some(),
            )),
        })
    }

    /// A new connection, to whatever server stands at the current address.
    pub(super) async fn open(&self) -> Result<Connection, String> {
        let place = self.location.now(ProtocolVersion::RESP2)?;
        let term = place.term.clone();
        let pooled = self.pool_of(place)?.get().await;
        let pooled = pooled.map_err(|error| error.to_string())?;
        Ok(Connection {
            multiplexed: deadpool_redis::Connection::take(pooled),
            term,
        })
    }

    /// The pool of this address: that of the last connection, unless a new term has begun.
    fn pool_of(&self, place: Place) -> Result<Pool, String> {
        let number = place.term.map_or(0, |term| term.number);
        let mut last = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((of, pool)) if *of == number => Ok(pool.clone()),
            _ => {
                // The process of the new master has not been met yet.
                self.identity.forget();
                let pool = self.new_pool(place.address)?;
                *last = Some((number, pool.clone()));
                Ok(pool)
            }
        }
    }

    fn new_pool(&self, address: ConnectionInfo) -> Result<Pool, String> {
        // The deadline of an operation is set at the sending of its command.
        let connection = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(None);
        let manager = Manager::new_with_config(address, connection);
        let pool = Pool::builder(manager.map_err(|error| error.to_string())?)
            .config(PoolConfig {
                // The pool holds only connections that are being made. Finished ones are taken out.
                max_size: (self.pool_size + 1).saturating_mul(ATTEMPTS_OF_A_LANE),
                timeouts: Timeouts {
                    wait: Some(self.connect_timeout),
                    create: Some(self.connect_timeout),
                    recycle: None,
                },
                ..PoolConfig::default()
            })
            .runtime(Runtime::Tokio1);
        pool.build().map_err(|error| error.to_string())
    }
}

impl Connector for RedisConnector {
    type Connection = Connection;

    async fn connect(&self) -> Result<Connection, String> {
        let connecting = async {
            let mut connection = self.open().await?;
            let verified = self.identity.verify(&mut connection.multiplexed).await;
            verified.map(|()| connection)
        };
        timeout(self.connect_timeout, connecting)
            .await
            .unwrap_or_else(|_| Err("the connection takes too long".to_owned()))
    }

    fn is_usable(connection: &Connection) -> bool {
        let term = connection.term.as_ref();
        term.is_none_or(|term| !term.has_ended())
    }
}

/// A connection, with the term of its server if Sentinels have named it. Clones share the connection.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) multiplexed: MultiplexedConnection,
    pub(super) term: Option<Arc<Term>>,
}

impl Connection {
    /// The number of the term of its server, as `Location::term` gives it.
    pub(super) fn term(&self) -> u64 {
        self.term.as_ref().map_or(0, |term| term.number)
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.multiplexed.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.multiplexed
            .req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.multiplexed.get_db()
    }
}
