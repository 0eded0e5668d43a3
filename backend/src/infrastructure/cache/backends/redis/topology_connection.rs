//! The connection on which a Sentinel or a node of a Cluster is asked who the master is.
//!
//! Come here to change how it begins. The connections for entries are in `connections`.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo};

/// Connects. `limit` is the longest time for the connection, and for each answer on it.
pub(super) async fn connect(
    address: &ConnectionInfo,
    limit: Duration,
) -> Result<MultiplexedConnection, String> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(limit))
        .set_response_timeout(Some(limit));
    let client = Client::open(address.clone()).map_err(|error| error.to_string())?;
    let connected = client.get_multiplexed_async_connection_with_config(&config);
    connected.await.map_err(|error| error.to_string())
}
