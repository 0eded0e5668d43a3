//! The pages of the documentation, as the checks read them.
//!
//! Come here to change which pages are checked.

use std::fs;
use std::path::{Path, PathBuf};

/// One page in Markdown.
pub struct Page {
    /// Its path from the root of the project.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the root")
        .to_owned()
}

/// All pages: those of the root and those of `docs/`.
pub fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for directory in ["", "docs"] {
        for entry in fs::read_dir(root().join(directory)).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).expect("text");
                let path = path.strip_prefix(root()).expect("below the root");
                let path = path.to_string_lossy().into_owned();
                pages.push(Page { path, text });
            }
        }
    }
    assert!(
        pages.iter().any(|page| page.path == "README.md"),
        "the pages were found"
    );
    pages
}

impl Page {
    /// The lines outside code blocks, with their numbers from 1.
    pub fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut in_code = false;
        self.text
            .lines()
            .enumerate()
            .filter_map(move |(number, line)| {
                let is_fence = line.trim_start().starts_with("```");
                in_code ^= is_fence;
                (!in_code && !is_fence).then_some((number + 1, line))
            })
    }

    /// The anchors that headings make, as hosting services derive them.
    pub fn anchors(&self) -> Vec<String> {
        self.prose()
            .filter(|(_, line)| line.starts_with('#'))
            .map(|(_, line)| {
                line.trim_start_matches('#')
                    .trim()
                    .to_lowercase()
                    .chars()
                    .filter(|character| {
                        character.is_alphanumeric() || [' ', '-', '_'].contains(character)
                    })
                    .map(|character| if character == ' ' { '-' } else { character })
                    .collect()
            })
            .collect()
    }
}

/// The texts between backticks of one line.
pub fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The sources of the project below these directories: path from the root and text.
pub fn sources(directories: &[&str], extensions: &[&str]) -> Vec<(String, String)> {
    fn visit(directory: &Path, extensions: &[&str], found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                visit(&path, extensions, found);
            } else if extensions
                .iter()
                .any(|extension| path.extension().is_some_and(|own| own == *extension))
            {
                let text = fs::read_to_string(&path).expect("text");
                let path = path.strip_prefix(root()).expect("below the root");
                found.push((path.to_string_lossy().into_owned(), text));
            }
        }
    }
    let mut found = Vec::new();
    for directory in directories {
        visit(&root().join(directory), extensions, &mut found);
    }
    found
}
