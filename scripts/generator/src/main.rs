//! Writes a module from a line of fields, and removes it: the program behind `scripts/module`.
//!
//! The way of a module: [`arguments`], [`module`] and [`field`] read the line, [`project`] says whether there is a place for it, [`render`] makes the
//! text of its files from `templates/`, and [`add`] writes them. [`remove`] makes the same text again and removes what is equal to it.
//!
//! Come here to see how the parts belong together. Release builds of the service leave this program out.

mod add;
mod arguments;
mod context;
mod field;
mod field_text;
mod module;
mod name;
#[cfg(test)]
mod page;
mod project;
mod refusal;
mod refused;
mod remove;
mod render;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::project::Project;
use crate::refusal::Result;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            eprintln!("error: {refusal}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let project = Project::at(arguments.root);
    match arguments.command {
        Command::Add(asked) => add::add(&project, &asked.module()?),
        Command::Remove { name, force } => remove::remove(&project, &name, force),
    }
}
