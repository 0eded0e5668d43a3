//! Required and forbidden text of files.
//!
//! Come here for a rule about headers, sizes or secrets. Clauses are checked in `documentation`.

use crate::sources::{Source, all_files, files, source};

/// The header of a file, in one line; empty unless the file begins with it.
fn header(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// The files without a header that says when to come there.
fn without_header(files: &[Source]) -> Vec<&str> {
    let says_when = |text: &str| {
        let header = header(text);
        header.contains("Come here") || header.contains("Nothing else belongs here")
    };
    files
        .iter()
        .filter(|(_, text)| !says_when(text))
        .map(|(path, _)| path.as_str())
        .collect()
}

#[test]
fn every_file_begins_with_a_header_that_says_when_to_come() {
    assert_eq!(without_header(&all_files()), Vec::<&str>::new());
}

#[test]
fn a_file_without_a_header_that_says_when_to_come_is_found() {
    let files = [
        source(
            "whole",
            "//! Keys.\n//!\n//! Come\n//! here to build one.\n",
        ),
        source("half", "//! Keys.\n"),
        source("none", "fn main() {}\n//! Come here.\n"),
    ];
    assert_eq!(without_header(&files), ["half", "none"]);
}

/// The types that hold a token, a password or a hash as text, and those of them that derive `Debug`.
fn secret_types(files: &[Source]) -> (usize, Vec<String>) {
    let secrets = ["token", "password", "secret"];
    let (mut seen, mut shown) = (0, Vec::new());
    for (path, text) in files {
        if !path.starts_with("src/") {
            continue;
        }
        for (index, _) in text.match_indices("struct ") {
            let body = text[index..].split("}\n").next().unwrap_or_default();
            let holds_one = body.lines().map(str::trim).any(|line| {
                let Some((name, kind)) = line.trim_start_matches("pub ").split_once(": ") else {
                    return false;
                };
                let is_text = kind.contains("String") || kind.contains("str");
                is_text
                    && !kind.contains("SecretString")
                    && !kind.contains("&'static str")
                    && secrets.iter().any(|secret| name.contains(secret))
            });
            if !holds_one {
                continue;
            }
            seen += 1;
            let before = text[..index].rsplit("\n\n").next().unwrap_or_default();
            let derives_debug = before
                .lines()
                .any(|line| line.starts_with("#[derive(") && line.contains("Debug"));
            if derives_debug {
                shown.push(format!("{path}: {body}"));
            }
        }
    }
    (seen, shown)
}

/// Such a type would show a secret in a log.
#[test]
fn no_type_that_holds_a_token_or_a_hash_derives_debug() {
    let (seen, shown) = secret_types(&files());
    assert!(seen >= 3, "the types were found");
    assert_eq!(shown, Vec::<String>::new());
}

#[test]
fn a_type_that_shows_a_secret_is_found() {
    let fields = "struct Login {\n    pub password: String,\n}\n";
    let files = [
        source("src/a.rs", &format!("#[derive(Clone, Debug)]\n{fields}")),
        source("src/b.rs", &format!("#[derive(Clone)]\n{fields}")),
    ];
    let (seen, shown) = secret_types(&files);
    assert_eq!((seen, shown.len()), (2, 1));
}

/// The asynchronous tests of a source that do not begin with their deadline.
fn without_deadline(text: &str) -> Vec<&str> {
    let attributed = text.split("::test]\n").skip(1);
    let asynchronous = attributed.filter_map(|rest| rest.trim_start().strip_prefix("async fn "));
    asynchronous
        .filter(|rest| {
            !rest
                .split("{\n")
                .nth(1)
                .unwrap_or_default()
                .trim_start()
                .starts_with("watchdog::watch();")
        })
        .filter_map(|rest| rest.split('(').next())
        .collect()
}

#[test]
fn every_asynchronous_test_in_the_sources_has_a_deadline() {
    for (path, text) in files() {
        if path.starts_with("src/") {
            assert_eq!(without_deadline(&text), Vec::<&str>::new(), "{path}");
        }
    }
}

#[test]
fn an_asynchronous_test_without_a_deadline_is_found() {
    let watched = "#[tokio::test]\nasync fn one() {\n    watchdog::watch();\n}\n";
    let unwatched = "#[actix_web::test]\nasync fn two() {\n    wait().await;\n}\n";
    assert_eq!(without_deadline(&format!("{watched}{unwatched}")), ["two"]);
}

/// The longest allowed file. A longer one has two subjects.
const MAX_LINES: usize = 350;

fn too_long(files: &[Source]) -> Vec<&str> {
    files
        .iter()
        .filter(|(_, text)| text.lines().count() > MAX_LINES)
        .map(|(path, _)| path.as_str())
        .collect()
}

#[test]
fn no_file_is_longer_than_350_lines() {
    assert_eq!(too_long(&all_files()), Vec::<&str>::new());
}

#[test]
fn a_file_of_351_lines_is_found() {
    let files = ["short", "long"].map(str::to_owned);
    let files = files.map(|name| {
        let lines = if name == "long" { 351 } else { 350 };
        (name, "line\n".repeat(lines))
    });
    assert_eq!(too_long(&files), ["long"]);
}
