//! The server of `MANAGEMENT_PORT`: health, and the routes for operators.
//!
//! Come here to change how it starts and ends. Its routes are declared in `interfaces`.

use std::time::Instant;

use actix_web::dev::ServerHandle;
use tokio::time::timeout_at;

use super::StartError;
use crate::infrastructure::server::{self, Application, Listeners, Turns};
use crate::infrastructure::settings::{Environment, ServerSettings};

/// The running server. It has a worker of its own, so that it answers while all connections of the API are taken.
pub(super) struct Management(ServerHandle);

impl Management {
    /// Serves if `MANAGEMENT_PORT` is set.
    ///
    /// # Errors
    /// The port cannot be listened on.
    pub(super) fn start(
        settings: &ServerSettings,
        application: &Application,
        turns: &Turns,
    ) -> Result<Option<Self>, StartError> {
        let Some(port) = settings.management_port else {
            if settings.environment == Environment::Production {
                tracing::info!(
                    "MANAGEMENT_PORT is not set: /cache, /docs, /openapi.json and /metrics are not served"
                );
            }
            return Ok(None);
        };
        let unbound = StartError::unbound(&settings.server_host, port, "MANAGEMENT_PORT");
        let listeners = Listeners::bind(&settings.server_host, port).map_err(&unbound)?;
        let settings = ServerSettings {
            server_workers: Some(1),
            ..settings.clone()
        };
        let server = server::serve(&settings, &listeners, turns, application).map_err(&unbound)?;
        for address in listeners.addresses().map_err(&unbound)? {
            tracing::info!(%address, "listening for management");
        }
        let handle = server.handle();
        actix_web::rt::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!("the server of MANAGEMENT_PORT stopped: {error}");
            }
        });
        Ok(Some(Self(handle)))
    }

    /// Ends the server, after requests under way. Returns at `until` at the latest.
    pub(super) async fn stop(self, until: Instant) {
        // A server that does not end in time ends with the process.
        let _ = timeout_at(until.into(), self.0.stop(true)).await;
    }
}
