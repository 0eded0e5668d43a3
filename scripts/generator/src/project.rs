//! The project that a module is written into: its modules, tables, migrations and the list of modules.
//!
//! Come here when a file of the project has moved. Nothing is written here.

use std::fs;
use std::path::{Path, PathBuf};

use crate::arguments::module_of;
use crate::module::Module;
use crate::refusal::{Result, failed, read, refuse};

/// The list of modules.
pub const LIST: &str = "backend/src/modules/mod.rs";
/// The data that queries are checked against.
pub const QUERIES: &str = ".sqlx";
/// The beginning of the line that a migration of a written module starts with. The rest is the module's command.
const WRITTEN_BY: &str = "-- Written by ./scripts/module add ";
/// The beginning and the end of the list.
const LIST_BEGIN: &str = "\nmodules! {\n";
const LIST_END: &str = "\n}\n";

/// The numbers of the migrations of modules: above those of the template, and below those of the examples in its pages.
const FIRST_NUMBER: u32 = 1001;
const EXAMPLE_NUMBERS: u32 = 9000;

/// Paths and files that have these names belong to the template.
const TAKEN: &[&str] = &["all", "cache", "health", "metrics", "docs", "support"];

/// A project, by its root.
#[derive(Debug)]
pub struct Project {
    root: PathBuf,
}

/// A module that was written by this program.
#[derive(Debug)]
pub struct WrittenModule {
    /// The number of its migration.
    pub number: u32,
    /// The module.
    pub module: Module,
}

impl Project {
    /// The project at this root.
    pub const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// A path of the project, from its root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Checks that a module of this name has a place, and that the tables that it refers to exist.
    pub fn check_place(&self, module: &Module) -> Result<()> {
        let name = &module.name.plural;
        if self.path(&format!("backend/src/modules/{name}")).exists() {
            return refuse(format!("there is a module `{name}` already"));
        }
        let tables = self.tables()?;
        if tables.contains(name) {
            return refuse(format!("there is a table `{name}` already"));
        }
        let parts = read(&self.path("scripts/test"))?;
        let is_part = parts
            .lines()
            .any(|line| line.starts_with(&format!("  {name} ")));
        let test = self.path(&format!("backend/tests/{name}"));
        if TAKEN.contains(&name.as_str())
            || is_part
            || test.exists()
            || test.with_extension("rs").exists()
        {
            return refuse(format!(
                "`{name}` is a name of the template: choose another name"
            ));
        }
        if let Some(table) = module
            .references()
            .find(|table| !tables.iter().any(|known| known == table))
        {
            return refuse(format!(
                "there is no table `{table}` to refer to; the tables are {}",
                tables.join(", ")
            ));
        }
        Ok(())
    }

    /// The number of the next migration of a module.
    pub fn next_number(&self) -> Result<u32> {
        let numbers = self.migrations()?.into_iter().map(|(number, _)| number);
        let highest = numbers.filter(|number| *number < EXAMPLE_NUMBERS).max();
        Ok(highest.map_or(FIRST_NUMBER, |highest| FIRST_NUMBER.max(highest + 1)))
    }

    /// The modules that this program has written.
    pub fn written_modules(&self) -> Result<Vec<WrittenModule>> {
        let mut written = Vec::new();
        for (number, path) in self.migrations()? {
            let text = read(&path)?;
            let first = text.lines().next().unwrap_or_default();
            if let Some(command) = first.strip_prefix(WRITTEN_BY) {
                written.push(WrittenModule {
                    number,
                    module: module_of(command)?,
                });
            }
        }
        Ok(written)
    }

    /// The text of the list of modules with one more.
    pub fn list_with(&self, name: &str) -> Result<String> {
        let (before, list, after) = self.list()?;
        Ok(format!("{before}{list}\n    {name},{after}"))
    }

    /// The text of the list of modules without one.
    pub fn list_without(&self, name: &str) -> Result<String> {
        let (before, list, after) = self.list()?;
        let line = format!("    {name},");
        let list: Vec<&str> = list.lines().filter(|known| **known != line).collect();
        Ok(format!("{before}{}{after}", list.join("\n")))
    }

    /// The text before the list of modules, the list, and the text after it.
    fn list(&self) -> Result<(String, String, String)> {
        let text = read(&self.path(LIST))?;
        let parts = text.split_once(LIST_BEGIN).and_then(|(before, rest)| {
            let (list, after) = rest.split_once(LIST_END)?;
            Some((
                format!("{before}{LIST_BEGIN}"),
                list.to_owned(),
                format!("{LIST_END}{after}"),
            ))
        });
        parts.map_or_else(
            || refuse(format!("{LIST} has no list `modules! {{ … }}`")),
            Ok,
        )
    }

    /// The tables that the migrations create, sorted.
    fn tables(&self) -> Result<Vec<String>> {
        let mut tables = Vec::new();
        for (_, path) in self.migrations()? {
            let text = read(&path)?;
            let created = text
                .lines()
                .filter_map(|line| line.strip_prefix("CREATE TABLE "));
            tables.extend(
                created
                    .filter_map(|rest| rest.split([' ', '(']).next())
                    .map(str::to_owned),
            );
        }
        tables.sort();
        Ok(tables)
    }

    /// The numbers and paths of the migrations, in their order.
    fn migrations(&self) -> Result<Vec<(u32, PathBuf)>> {
        let numbered = |path: PathBuf| {
            let name = path.file_name()?.to_str()?;
            let number = name
                .strip_suffix(".up.sql")?
                .split('_')
                .next()?
                .parse()
                .ok()?;
            Some((number, path))
        };
        let mut migrations: Vec<_> = self
            .files("migrations")?
            .into_iter()
            .filter_map(numbered)
            .collect();
        migrations.sort();
        Ok(migrations)
    }

    /// The files of a folder, and of the folders in it.
    pub fn files(&self, folder: &str) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        collect(&self.path(folder), &mut files)?;
        files.sort();
        Ok(files)
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let path = entry.map_err(|error| failed(folder, &error))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
