//! Routes with a policy around them: reading, writing, freshness and conditional requests. Come here for
//! the answers to clients.

mod beside_the_feed;
mod caller_inside;
mod compression;
mod conditional;
mod downstream;
mod effects;
mod freshness;
mod missing_bindings;
mod patterns;
mod position;
mod reading;
mod several_backends;
mod stale_answers;
mod verify;
mod writing;
