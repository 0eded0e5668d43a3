//! The near cache: values of Redis kept in this process, so that a hit costs no round trip.
//!
//! Come here when a value in this process is older than the one on the server, or is not kept. The rules are in
//! `values`, the connection that reports changes is in `tracking`. Claims are never kept here.

mod backend;
mod tracking;
mod values;

pub use backend::NearBackend;
