//! The HTTP contract, row by row, against the running binary.

#[path = "../support/mod.rs"]
mod support;

mod auth;
mod bad_input;
mod caching;
mod query_plans;
mod starting;
mod users;
mod widgets;
