//! The Memcached backend.
//!
//! Come here to add a Memcached command or to see how connections are shared: `backend` has the operations, `protocol`
//! the bytes on the wire, `queue` and `connection` the commands in flight, `promise` the answer that several requests
//! share, `connections` the making of connections. Nothing here knows entries.

mod backend;
mod connection;
mod connections;
mod promise;
mod protocol;
mod queue;
#[cfg(test)]
mod tests;

pub use backend::MemcachedBackend;
