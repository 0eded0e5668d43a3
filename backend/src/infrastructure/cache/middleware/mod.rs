//! The cache's side of actix: the policy as middleware around a route.
//!
//! Come here when a request is not handled as expected. `service` decides by method; `read`, `fill`,
//! `refresh` and `write` handle requests; `response` turns responses into entries and back. Keys are
//! built in `policy`, and entries are found in `lookup`.

mod downstream;
mod fill;
mod form;
mod handler;
mod looking_up;
mod misuse;
mod read;
mod recent_headers;
mod refresh;
mod response;
mod service;
mod verify;
mod write;

pub use handler::CacheOutcome;
pub use misuse::InvalidRequestError;
pub use service::CacheMiddleware;
