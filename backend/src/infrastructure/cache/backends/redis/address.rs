//! The addresses of Redis and of its Sentinels: from the options to what the client needs for a connection, TLS included.
//!
//! Come here for socket options, or for another way to write an address. Connections are made in `connections`.

use redis::io::tcp::TcpSettings;
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo, TlsCertificates,
};
use secrecy::{ExposeSecret, SecretString};
use socket2::TcpKeepalive;

use crate::backends::contract::BackendError;
use crate::backends::lanes;
use crate::options::{RedisOptions, SentinelOptions, ServerAddress};

/// The address of the one server of these options.
///
/// # Errors
/// The options form no address, or the file of the authority cannot be used. The error contains no secret.
pub(super) fn of_server(options: &RedisOptions) -> Result<ConnectionInfo, BackendError> {
    let info = match &options.url {
        Some(url) => {
            let parsed = url.expose_secret().into_connection_info();
            let info = parsed.map_err(BackendError::unavailable)?;
            info.set_tcp_settings(tcp_settings())
        }
        None => info_of(options, &options.host, options.port, login(options))?,
    };
    with_authority(options, info)
}

/// The address of the master that the Sentinels of these options name.
///
/// # Errors
/// See [`of_server`].
pub(super) fn of_master(
    options: &RedisOptions,
    host: &str,
    port: u16,
) -> Result<ConnectionInfo, BackendError> {
    with_authority(options, info_of(options, host, port, login(options))?)
}

/// The address of a Sentinel.
///
/// # Errors
/// See [`of_server`].
pub(super) fn of_sentinel(
    options: &RedisOptions,
    sentinels: &SentinelOptions,
    server: &ServerAddress,
) -> Result<ConnectionInfo, BackendError> {
    let login = user(
        RedisConnectionInfo::default(),
        &sentinels.username,
        &sentinels.password,
    );
    with_authority(options, info_of(options, &server.host, server.port, login)?)
}

/// The same address for connections that speak this protocol.
pub(super) fn with_protocol(info: ConnectionInfo, protocol: ProtocolVersion) -> ConnectionInfo {
    let server = info.redis_settings().clone().set_protocol(protocol);
    info.set_redis_settings(server)
}

/// An address with a login and the socket options of the cache.
fn info_of(
    options: &RedisOptions,
    host: &str,
    port: u16,
    login: RedisConnectionInfo,
) -> Result<ConnectionInfo, BackendError> {
    let host = host.to_owned();
    let address = if options.tls {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    let info = address
        .into_connection_info()
        .map_err(BackendError::unavailable)?;
    Ok(info
        .set_redis_settings(login)
        .set_tcp_settings(tcp_settings()))
}

/// User, password and database of the options.
fn login(options: &RedisOptions) -> RedisConnectionInfo {
    let login = RedisConnectionInfo::default().set_db(options.database);
    user(login, &options.username, &options.password)
}

fn user(
    mut login: RedisConnectionInfo,
    name: &str,
    password: &SecretString,
) -> RedisConnectionInfo {
    if !name.is_empty() {
        login = login.set_username(name);
    }
    if !password.expose_secret().is_empty() {
        login = login.set_password(password.expose_secret());
    }
    login
}

/// The address, with the authority of the options in place of the system's.
fn with_authority(
    options: &RedisOptions,
    info: ConnectionInfo,
) -> Result<ConnectionInfo, BackendError> {
    let Some(file) = &options.tls_ca_file else {
        return Ok(info);
    };
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
