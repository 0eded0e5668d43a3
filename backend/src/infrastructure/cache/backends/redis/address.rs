//! The address of Redis: from the options to what the client needs for a connection, TLS included.
//!
//! Come here for socket options, or for another way to write an address. Connections are made in `connections`.

use std::path::Path;

use redis::io::tcp::TcpSettings;
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo, TlsCertificates,
};
use secrecy::ExposeSecret;
use socket2::TcpKeepalive;

use crate::infrastructure::cache::backends::contract::BackendError;
use crate::infrastructure::cache::backends::lanes;
use crate::infrastructure::cache::options::RedisOptions;

/// The address of the server of these options, and the protocol.
///
/// # Errors
/// The options form no address, or the file of the authority cannot be used. The error contains no secret.
pub(super) fn connection_info(
    options: &RedisOptions,
    protocol: ProtocolVersion,
) -> Result<ConnectionInfo, BackendError> {
    let info = match &options.url {
        Some(url) => {
            let parsed = url.expose_secret().into_connection_info();
            parsed.map_err(BackendError::unavailable)?
        }
        None => info_of(
            ConnectionAddr::Tcp(options.host.clone(), options.port),
            login(options),
        )?,
    };
    let server = info.redis_settings().clone().set_protocol(protocol);
    let info = info
        .set_redis_settings(server)
        .set_tcp_settings(tcp_settings());
    match &options.tls_ca_file {
        Some(file) => with_authority(info, file),
        None => Ok(info),
    }
}

/// An address with a login and the socket options of the cache.
pub(super) fn info_of(
    address: ConnectionAddr,
    login: RedisConnectionInfo,
) -> Result<ConnectionInfo, BackendError> {
    let info = address
        .into_connection_info()
        .map_err(BackendError::unavailable)?;
    Ok(info
        .set_redis_settings(login)
        .set_tcp_settings(tcp_settings()))
}

/// User, password and database of the options.
pub(super) fn login(options: &RedisOptions) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_db(options.database);
    if !options.username.is_empty() {
        login = login.set_username(&options.username);
    }
    if !options.password.expose_secret().is_empty() {
        login = login.set_password(options.password.expose_secret());
    }
    login
}

/// The address, with the authority whose certificates are trusted in place of the system's.
fn with_authority(info: ConnectionInfo, file: &Path) -> Result<ConnectionInfo, BackendError> {
    let failed = |error: &dyn std::fmt::Display| {
        BackendError::Unavailable(format!(
            "the certificates in {} cannot be used: {error}",
            file.display()
        ))
    };
    let authority = std::fs::read(file).map_err(|error| failed(&error))?;
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(authority),
    };
    let client = Client::build_with_tls(info, certificates).map_err(|error| failed(&error))?;
    Ok(client.get_connection_info().clone())
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
