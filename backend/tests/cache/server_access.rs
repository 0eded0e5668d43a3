//! How a test reaches a cache server beside the cache: through a proxy in front of it, or on a connection of its own.
//!
//! Come here for a test that disturbs the way to a server, or looks at what a server holds. The faults that a proxy makes are
//! in `support/proxy.rs`.

use backend::infrastructure::settings::{CacheBackendKind, CacheRedisMode, CacheSettings};
use futures_util::future::join_all;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::support::proxy::Proxy;

/// Starts a proxy in front of the server of these settings, which name the proxy from then on.
pub async fn put_proxy_before(settings: &mut CacheSettings) -> Proxy {
    let port = match settings.cache_backend {
        CacheBackendKind::Memcached => &mut settings.cache_memcached_port,
        _ => &mut settings.cache_redis_port,
    };
    let proxy = Proxy::start(*port).await;
    *port = proxy.port;
    proxy
}

/// A connection to a local Redis for the test's own commands.
pub async fn connect_to_redis(port: u16) -> MultiplexedConnection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
    let connection = client.get_multiplexed_async_connection();
    connection.await.expect("Redis answers")
}

/// A connection to the Redis of these settings, or to each master of their Cluster.
pub async fn connect_to_each(settings: &CacheSettings) -> Vec<MultiplexedConnection> {
    if settings.cache_redis_mode != CacheRedisMode::Cluster {
        return vec![connect_to_redis(settings.cache_redis_port).await];
    }
    let nodes = settings.cache_redis_nodes.split(',');
    let ports = nodes.map(|node| {
        let (_, port) = node.rsplit_once(':').expect("a port");
        port.parse().expect("a number")
    });
    join_all(ports.map(connect_to_redis)).await
}

/// A connection to the one that holds a full key.
pub async fn connect_to_holder(settings: &CacheSettings, key: &str) -> MultiplexedConnection {
    for mut connection in connect_to_each(settings).await {
        // A master that does not own the slot redirects, which is an error here.
        if connection.exists::<_, bool>(key).await.is_ok() {
            return connection;
        }
    }
    panic!("no master owns the slot of {key}");
}
