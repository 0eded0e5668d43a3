//! Writes the files of a module.
//!
//! Come here to change the order in which files are written. Everything is known to be right before the first one is.

use std::fs;
use std::path::Path;

use crate::context::can_make;
use crate::module::Module;
use crate::project::{LIST, Project};
use crate::refusal::{Result, failed, refuse};
use crate::refused;
use crate::render;

/// Writes a module. If one of its files cannot be written, those before it are removed again.
pub fn add(project: &Project, module: &Module) -> Result<()> {
    refused::check(module)?;
    project.check_place(module)?;
    let known: Vec<Module> = project
        .written_modules()?
        .into_iter()
        .map(|written| written.module)
        .collect();
    check_parents(module, &known)?;
    let files = render::files(module, project.next_number()?, &known)?;
    let list = project.list_with(&module.name.plural)?;
    for (index, (path, text)) in files.iter().enumerate() {
        if let Err(error) = write_new(&project.path(path), text) {
            for (written, _) in &files[..index] {
                let _ = fs::remove_file(project.path(written));
            }
            let _ = fs::remove_dir(
                project.path(&format!("backend/src/modules/{}", module.name.plural)),
            );
            return Err(error);
        }
        println!("wrote {path}");
    }
    let path = project.path(LIST);
    fs::write(&path, list).map_err(|error| failed(&path, &error))?;
    println!("listed in {LIST}");
    Ok(())
}

/// Checks that the test can make the rows that the module needs.
fn check_parents(module: &Module, known: &[Module]) -> Result<()> {
    for field in &module.fields {
        let unknown = field.references().filter(|table| !can_make(table, known));
        if let Some(table) = unknown.filter(|_| !field.is_optional) {
            return refuse(format!(
                "`{table}` was not written by ./scripts/module, so the test of `{}` cannot make a row of it: write `{}?`",
                module.name.plural, field.argument
            ));
        }
    }
    Ok(())
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    fs::write(path, text).map_err(|error| failed(path, &error))
}
