//! A database for each measured program.
//!
//! Every instance of the service delivers the changes of its database. In a common one, the writes of a program would
//! be work for all others.
//!
//! Come here for a program that needs another schema.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::process::Command;

use crate::Result;
use crate::program::Program;

/// Copies of a template. Nothing may be connected to the template: PostgreSQL does not copy a database in use.
pub struct Databases {
    /// The URL of the template.
    template_url: String,
    made: RefCell<BTreeSet<String>>,
}

impl Databases {
    /// No copies yet.
    pub const fn of(template_url: String) -> Self {
        Self {
            template_url,
            made: RefCell::new(BTreeSet::new()),
        }
    }

    /// The URL of a program's database. The first call makes the database.
    pub fn url_for(&self, program: Program) -> Result<String> {
        let (server, template) = self
            .template_url
            .rsplit_once('/')
            .ok_or("the URL of PostgreSQL names no database")?;
        let name = format!("{template} of {program}")
            .replace(|character: char| !character.is_ascii_alphanumeric(), "_");
        if self.made.borrow_mut().insert(name.clone()) {
            // The password, if there is one, is in the variable PGPASSWORD.
            let output = Command::new("createdb")
                .args(["--maintenance-db", &format!("{server}/postgres")])
                .args(["--template", template, &name])
                .output()
                .map_err(|error| format!("createdb cannot be started: {error}"))?;
            if !output.status.success() {
                let message = String::from_utf8_lossy(&output.stderr);
                return Err(format!("the database of {program}: {message}").into());
            }
        }
        Ok(format!("{server}/{name}"))
    }
}
