//! How a test reaches a cache server beside the cache: through a proxy in front of it, or on a connection of its own.
//!
//! Come here for a test that disturbs the way to a server, or looks at what a server holds. The faults that a proxy makes are
//! in `support/proxy.rs`.

use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

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
pub async fn connect_to_redis(port: u16) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
    let connection = client.get_multiplexed_async_connection();
    connection.await.expect("Redis answers")
}
