//! The parts of the Memcached backend without a Memcached; the whole backend is tested in
//! `backend/tests`.

mod backend;
mod connection;
mod protocol;
mod queue;
