//! The scripts, in shells and environments that people have: foreign variables, a `.env` from another
//! editor, ports that are taken. Nothing is installed, and no script builds anything here.
//!
//! Come here after changing a script.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod dev;
mod members;
mod new;
mod postgres;
mod project;
mod repository;
mod servers;
mod shell;
mod update;
mod without_widgets;
