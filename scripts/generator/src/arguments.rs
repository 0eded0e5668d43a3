//! The command line.
//!
//! Come here to add a command or an option.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::module::{Module, Options};
use crate::refusal::{Refusal, Result};

/// Writes a module from a line of fields, or removes it.
#[derive(Debug, Parser)]
#[command(name = "./scripts/module", bin_name = "./scripts/module")]
pub struct Arguments {
    /// The root of the project.
    #[arg(long, default_value = ".", hide = true)]
    pub root: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Writes a module: its migration, its routes, what is cached of it, and its test
    Add(AddArguments),
    /// Removes a module that `add` has written
    Remove {
        /// The name of the module
        name: String,
        /// Remove it although its files were changed. What was not committed is lost
        #[arg(long)]
        force: bool,
    },
}

/// A module, as it is asked for.
#[derive(Args, Debug)]
pub struct AddArguments {
    /// The name of the module and of its table, a plural such as `invoices`
    name: String,
    /// NAME:TYPE, with `?` at the end if it may be missing, `!` if it is unique. `owner:references:users` is the owner. Types:
    /// text, integer, bigint, decimal, boolean, date, timestamp, uuid, json, enum:a,b and references:table
    #[arg(required = true, value_name = "FIELD:TYPE")]
    fields: Vec<String>,
    /// Each belongs to the user who makes it, as with `owner:references:users`
    #[arg(long)]
    owned: bool,
    /// Everybody may read, and all callers share the cached answers. The default without an owner
    #[arg(long)]
    shared: bool,
    /// Signed-in callers read, each from cached answers of their own; with an owner only the owner and superusers. The default with an owner
    #[arg(long)]
    per_caller: bool,
    /// What one of them is called, if that is not the name without its `s`
    #[arg(long, value_name = "NAME")]
    singular: Option<String>,
}

impl AddArguments {
    /// The module that is asked for.
    pub fn module(&self) -> Result<Module> {
        let options = Options {
            owned: self.owned,
            shared: self.shared,
            per_caller: self.per_caller,
        };
        Module::new(&self.name, self.singular.as_deref(), &self.fields, options)
    }
}

/// The module of a line that was kept: see [`Module::command`].
pub fn module_of(line: &str) -> Result<Module> {
    let words = ["./scripts/module", "add"]
        .into_iter()
        .chain(line.split_whitespace());
    match Arguments::try_parse_from(words) {
        Ok(Arguments {
            command: Command::Add(asked),
            ..
        }) => asked.module(),
        _ => Err(Refusal(format!("`{line}` is no module"))),
    }
}
