//! The sources as the rules see them.
//!
//! Come here to change which files a rule looks at, or which lines count as code.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            found.push((path, text));
        }
    }
}

/// A file: its path from `backend`, and its text.
pub type Source = (String, String);

/// A file of an example.
pub fn source(path: &str, text: &str) -> Source {
    (path.to_owned(), text.to_owned())
}

/// Every source file of the service and of its tests.
pub fn files() -> Vec<Source> {
    files_in(&["src", "tests"])
}

/// Every source file below `backend`: those of the benches too.
pub fn all_files() -> Vec<Source> {
    files_in(&["src", "tests", "benches"])
}

fn files_in(directories: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in directories {
        sources(&root.join(directory), &mut found);
    }
    assert!(found.len() > 50, "the sources were found");
    let relative = |path: &Path| {
        path.strip_prefix(root)
            .expect("below")
            .to_string_lossy()
            .replace('\\', "/")
    };
    found
        .into_iter()
        .map(|(path, text)| (relative(&path), text))
        .collect()
}

/// The lines of code: no comments, and nothing below a `mod tests`.
pub fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
}

pub fn layer(path: &str) -> Option<&str> {
    let layers = ["startup", "interfaces", "modules", "infrastructure"];
    let name = path.strip_prefix("src/")?.split(['/', '.']).next()?;
    layers.into_iter().find(|layer| *layer == name)
}
