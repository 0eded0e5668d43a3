//! The parts of the Memcached backend without a Memcached; the whole backend is tested in
//! `backend/tests`.
//!
//! Come here for the answers and connections of a test that needs no server.

mod backend;
mod connection;
mod protocol;
mod queue;
