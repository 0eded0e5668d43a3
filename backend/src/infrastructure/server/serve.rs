//! The server: the settings of connections, and the application behind them.
//!
//! Come here to change how connections are served. It is built from the parts of `actix_web::HttpServer`, which takes no
//! connection other than a bare `TcpStream`: here it is a [`ClientConnection`].

use std::future::ready;
use std::io;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Protocol};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::Error;
use actix_web::dev::{AppConfig, fn_service};
use actix_web::rt::net::TcpStream;

use super::application::Application;
use super::listeners::Listeners;
use super::stopping::Stopping;
use super::turns::Turns;
use crate::http::ClientConnection;
use crate::settings::ServerSettings;

/// Seconds after SIGTERM in which requests under way can finish.
pub const SHUTDOWN_SECONDS: u64 = 30;
/// Seconds in which a client may send the head of its first request.
const CLIENT_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Seconds in which a closed connection may take its last answer.
const CLIENT_DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves the application on the sockets. Each worker builds one of its own. Signals are handled by the caller, who also asks the
/// workers for their `turns`.
///
/// The types of the server are large. None of them leaves this crate, so that a change of a module does not compile them again.
///
/// # Errors
/// A socket cannot be copied or listened on.
pub fn serve(
    settings: &ServerSettings,
    listeners: &Listeners,
    turns: &Turns,
    application: &Application,
) -> io::Result<Server> {
    let workers = settings
        .server_workers
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let keep_alive = Duration::from_secs(settings.server_keep_alive);
    let mut server = ServerBuilder::default()
        .workers(workers)
        .max_concurrent_connections(settings.server_max_connections.div_ceil(workers))
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals();
    let stopping = server.graceful_shutdown_signal();
    for listener in listeners.copies()? {
        let address = listener.local_addr()?;
        let (application, stopping) = (application.clone(), stopping.clone());
        let turns = turns.clone();
        server = server.listen(address.to_string(), listener, move || {
            turns.register();
            let signal = stopping.clone();
            let stopping = Stopping::when(async move { signal.notified().await });
            let connections = HttpService::build()
                .graceful_shutdown_signal(move || stopping.clone().begun())
                // Its connections end idle ones.
                .keep_alive(KeepAlive::Os)
                .client_request_timeout(CLIENT_HEAD_TIMEOUT)
                .client_disconnect_timeout(CLIENT_DISCONNECT_TIMEOUT)
                .local_addr(address)
                .on_connect_ext(|connection: &ClientConnection<TcpStream>, data| {
                    data.insert(connection.activity());
                })
                .finish(map_config(
                    application
                        .build()
                        .into_factory()
                        .map_err(|error: Error| error.error_response()),
                    |()| AppConfig::default(),
                ));
            fn_service(move |stream: TcpStream| {
                let peer = stream.peer_addr().ok();
                let connection = ClientConnection::new(stream, keep_alive);
                ready(Ok((connection, Protocol::Http1, peer)))
            })
            .and_then(connections)
        })?;
    }
    Ok(server.run())
}
