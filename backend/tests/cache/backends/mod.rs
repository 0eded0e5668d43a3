//! Backends by themselves (C21): one suite for all, and suites for the particular parts of each. Come
//! here for a new backend or a new command of a server.

mod batched_get;
mod contract;
mod lost_members;
mod memcached;
mod near;
mod near_beside_the_feed;
mod other_servers;
mod patterns;
mod shortfalls;
mod silent_connections;
