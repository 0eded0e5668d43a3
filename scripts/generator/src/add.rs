//! Writes the files of a module.
//!
//! Come here to change the order in which files are written. Everything is known to be right before the first one is.

use std::fs;
use std::path::Path;

use crate::module::Module;
use crate::project::{LIST, Project};
use crate::refusal::{Result, failed, refuse};
use crate::render;

/// Writes a module. If one of its files cannot be written, those before it are removed again.
pub fn add(project: &Project, module: &Module) -> Result<()> {
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

/// Checks that the test can make the rows that the module refers to.
fn check_parents(module: &Module, known: &[Module]) -> Result<()> {
    for table in module.references() {
        let is_known = known.iter().any(|known| known.name.plural == table);
        if !is_known && !["users", "widgets"].contains(&table) {
            return refuse(format!(
                "`{table}` was not written by ./scripts/module, so the test of `{}` cannot make a row of it: add the reference by hand",
                module.name.plural
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
