//! The HTTP server: sockets, workers, connections, and the layers around every route.
//!
//! Come here to change how the service listens, serves and stops listening. The order of the start and of the end is in the service's
//! `startup`, and routes are declared in the modules.

mod application;
mod listeners;
mod serve;
mod stopping;
mod turns;

pub use application::{Application, Layers};
pub use listeners::Listeners;
pub use serve::{SHUTDOWN_SECONDS, serve};
pub use turns::Turns;
