//! The HTTP contract, row by row, against the running binary.
//!
//! Come here for behaviour that a client sees. Rules of the cache that need no service are in `tests/cache`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod alphabets;
mod auth;
mod bad_input;
mod browsers;
mod cache_headers;
mod cache_show;
mod caching;
mod check;
mod command_line;
mod console;
mod console_purge;
mod database;
mod deadlines;
mod erasure;
mod if_match;
mod invalidation;
mod library_answers;
mod management;
mod migration_targets;
mod migrations;
mod openapi;
mod pages;
mod passwords;
mod pooler;
mod process_1;
mod proof;
mod query_plans;
mod random_input;
mod rate_limit;
mod recorded_changes;
mod rights;
mod roles;
mod routes;
mod secrets;
mod security_events;
mod sessions;
mod settings;
mod sign_in_limits;
mod sign_up;
mod starting;
mod stopping;
mod tables;
mod upkeep;
mod users;
mod widgets;
