//! What Redis answers and what an error means, and where the server is.
//!
//! Come here when an answer of the server is taken for the wrong thing. No command is sent from here.

use std::time::Duration;

use bytes::Bytes;
use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisError,
};
use secrecy::ExposeSecret;

use super::connections::{Lanes, Ticket};
use crate::infrastructure::cache::backends::contract::{BackendError, Version};
use crate::infrastructure::cache::backends::head::{HEAD_BYTES, MAGIC};
use crate::infrastructure::cache::options::CacheOptions;

/// What an error means. One of the connection ends its lane.
pub(super) fn failed(lanes: &Lanes, ticket: &Ticket, error: RedisError) -> BackendError {
    if error.is_unrecoverable_error() || error.is_connection_dropped() || error.is_io_error() {
        lanes.broken(ticket);
    }
    let message = error.to_string();
    // The error of a pipeline has no code of its own.
    let errors = error.into_server_errors().unwrap_or_default();
    if errors.iter().any(|(_, error)| error.code() == "OOM") {
        BackendError::NotStored(message)
    } else {
        BackendError::Unavailable(message)
    }
}

/// Where the server is, and how it is spoken to.
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
    let address = address.into_connection_info().map_err(unavailable)?;
    Ok(address.set_redis_settings(server))
}

pub(super) fn version_of(value: &Bytes) -> Version {
    if value.len() >= HEAD_BYTES && value.starts_with(MAGIC) {
        Version::Head(value.slice(..HEAD_BYTES))
    } else {
        Version::Anything
    }
}

pub(super) fn milliseconds(expiration: Duration) -> u64 {
    u64::try_from(expiration.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, i64::MAX as u64 / 4)
}

pub(super) fn unavailable(error: impl std::fmt::Display) -> BackendError {
    BackendError::Unavailable(error.to_string())
}
