//! The size of the example module in `docs/modules.md`: list with pages, read, create, change, delete, an answer for all callers
//! and one for each, triggers for the feed, and a test.
//!
//! Come here when the example grows: the infrastructure must do more of the work, instead of the module. `./scripts/test docs`
//! builds and tests the module. `./scripts/test generator` holds that the command writes files of the same names.

use std::collections::BTreeMap;

use crate::pages::pages;

/// The most lines of Rust and SQL, without blank lines and comments.
const MAX_LINES: usize = 150;

/// The files of the example by path, and the lines that it inserts into a file of the template.
struct Example {
    files: BTreeMap<String, String>,
    inserted: BTreeMap<String, String>,
}

/// The code blocks of the page that stand below the name of a file, as `scripts/lib/example_module.awk` reads them.
fn example() -> Example {
    let page = pages()
        .into_iter()
        .find(|page| page.path == "docs/modules.md");
    let page = page.expect("docs/modules.md");
    let mut example = Example {
        files: BTreeMap::new(),
        inserted: BTreeMap::new(),
    };
    for part in page.text.split("\n**`").skip(1) {
        let (path, rest) = part.split_once('`').expect("the end of the path");
        let (title, code) = rest.split_once("```").expect("a code block");
        let code = code.split_once("```").expect("the end of the block").0;
        let (_language, code) = code.split_once('\n').expect("a line of code");
        let files = if title.contains("after") {
            &mut example.inserted
        } else {
            &mut example.files
        };
        files.insert(path.to_owned(), code.to_owned());
    }
    example
}

fn count_lines(code: &str) -> usize {
    code.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with("--"))
        .count()
}

#[test]
fn the_example_module_has_at_most_150_lines() {
    let example = example();
    let lines: BTreeMap<&String, usize> = example
        .files
        .iter()
        .chain(&example.inserted)
        .map(|(path, code)| (path, count_lines(code)))
        .collect();
    let total: usize = lines.values().sum();
    assert!(total > 50, "the files were found: {lines:?}");
    assert!(total <= MAX_LINES, "{total} lines: {lines:?}");
}

#[test]
fn the_example_module_adds_one_line_to_one_file_of_the_template() {
    let example = example();
    let inserted: Vec<_> = example
        .inserted
        .iter()
        .map(|(path, code)| (path.as_str(), count_lines(code)))
        .collect();
    assert_eq!(inserted, [("backend/src/modules/mod.rs", 1)]);
    for path in example.files.keys() {
        let is_its_own = path.starts_with("backend/src/modules/notes/")
            || path.starts_with("migrations/9000_notes.")
            || path == "backend/tests/notes.rs";
        assert!(is_its_own, "{path} is not a file of the module");
    }
}

#[test]
fn lines_of_code_are_counted_without_comments_and_blank_lines() {
    assert_eq!(count_lines("//! a\n\n  // b\n-- c\nfn d() {}\n}\n"), 2);
}
