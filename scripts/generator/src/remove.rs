//! Removes what `add` has written, and the data of its queries.
//!
//! Come here to change when a removal is refused. A file that a person has changed is not removed without `--force`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::module::Module;
use crate::project::{LIST, Project, QUERIES};
use crate::refusal::{Refusal, Result, failed, read, refuse};
use crate::render;

/// Removes a module.
pub fn remove(project: &Project, name: &str, force: bool) -> Result<()> {
    let modules = project.written_modules()?;
    let Some(own) = modules
        .iter()
        .find(|written| written.module.name.plural == name)
    else {
        let names: Vec<&str> = modules
            .iter()
            .map(|written| written.module.name.plural.as_str())
            .collect();
        let names = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        return refuse(format!(
            "`{name}` was not written by ./scripts/module; what was: {names}"
        ));
    };
    if let Some(other) = modules
        .iter()
        .find(|written| written.module.references().any(|table| table == name))
    {
        return refuse(format!(
            "`{}` refers to `{name}`: remove it first",
            other.module.name.plural
        ));
    }
    let known: Vec<Module> = modules
        .iter()
        .map(|written| written.module.clone())
        .collect();
    let files = render::files(&own.module, own.number, &known)?;
    let folder = format!("backend/src/modules/{name}");
    let mut present = project.files(&folder).unwrap_or_default();
    let outside = files.iter().map(|(path, _)| project.path(path));
    present
        .extend(outside.filter(|path| path.exists() && !path.starts_with(project.path(&folder))));
    if !force {
        let changed = present.iter().find(|path| {
            let written = files.iter().find(|(own, _)| project.path(own) == **path);
            let own = read(path).ok();
            written.is_none_or(|(_, text)| own.as_ref() != Some(text))
        });
        if let Some(path) = changed {
            return refuse(format!(
                "{} is not as it was written: `--force` removes it nevertheless",
                path.display()
            ));
        }
    }
    let list = project.list_without(name)?;
    let queries = queries_of(project, &present)?;
    for path in present.iter().chain(&queries) {
        fs::remove_file(path).map_err(|error| failed(path, &error))?;
    }
    let folder = project.path(&folder);
    fs::remove_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
    let path = project.path(LIST);
    fs::write(&path, list).map_err(|error| failed(&path, &error))?;
    println!(
        "removed {} files, and {} queries",
        present.len(),
        queries.len()
    );
    Ok(())
}

/// The data of a query, as sqlx keeps it.
#[derive(Deserialize)]
struct QueryData {
    query: String,
}

/// The files of the queries that stand in these sources and in no other.
fn queries_of(project: &Project, sources: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let own = texts(sources.iter().map(PathBuf::as_path))?;
    let all = project.files("backend/src")?;
    let others = texts(
        all.iter()
            .filter(|path| !sources.contains(path))
            .map(PathBuf::as_path),
    )?;
    let mut found = Vec::new();
    for path in project.files(QUERIES)? {
        let data: QueryData = serde_json::from_str(&read(&path)?)
            .map_err(|error| Refusal(format!("{}: {error}", path.display())))?;
        let stands_in = |texts: &[String]| texts.iter().any(|text| text.contains(&data.query));
        if stands_in(&own) && !stands_in(&others) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The texts of the sources of Rust.
fn texts<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<Vec<String>> {
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(read)
        .collect()
}
